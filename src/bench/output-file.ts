// A file that a benchmark writes: whole or not replaced, and rewritten while the benchmark runs, so
// that a killed process loses one repeat at most.
import { accessSync, constants, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pid } from "node:process";
import { InferenceError } from "../errors.js";
import { messageOfThrown } from "../thrown.js";

/** A file that will be written to. */
export class OutputFile {
  readonly path: string;

  /**
   * @param flag that names it, for sentences: "--json"
   * @throws InferenceError INVALID_OPTION where nothing can be written there, before hours are measured
   */
  constructor(flag: string, given: string) {
    this.path = resolve(given);
    try {
      accessSync(dirname(this.path), constants.W_OK);
    } catch (thrown) {
      throw refusal(flag, `must be a file in a folder that can be written: ${messageOfThrown(thrown)}`);
    }
    if (statSync(this.path, { throwIfNoEntry: false })?.isDirectory())
      throw refusal(flag, `must be a file's path, and ${this.path} is a folder`);
  }

  write(text: string): void {
    const unfinished = `${this.path}.${pid}.tmp`;
    writeFileSync(unfinished, text);
    renameSync(unfinished, this.path);
  }
}

function refusal(flag: string, problem: string): InferenceError {
  return new InferenceError("INVALID_OPTION", `${flag} ${problem}`);
}
