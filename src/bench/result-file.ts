// A result on the disk: whole or not replaced, and rewritten while the benchmark runs, so that a
// killed process loses one repeat at most.
import { accessSync, constants, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pid } from "node:process";
import { InferenceError } from "../errors.js";
import { messageOfThrown } from "../thrown.js";
import type { BenchmarkResult } from "./benchmark.js";

/** A file that a result will be written to. */
export class ResultFile {
  readonly path: string;

  /** @throws InferenceError INVALID_OPTION where nothing can be written there, before hours are measured */
  constructor(given: string) {
    this.path = resolve(given);
    try {
      accessSync(dirname(this.path), constants.W_OK);
    } catch (thrown) {
      throw refusal(`must be a file in a folder that can be written: ${messageOfThrown(thrown)}`);
    }
    if (statSync(this.path, { throwIfNoEntry: false })?.isDirectory())
      throw refusal(`must be a file's path, and ${this.path} is a folder`);
  }

  write(result: BenchmarkResult): void {
    const unfinished = `${this.path}.${pid}.tmp`;
    writeFileSync(unfinished, `${JSON.stringify(result, null, 1)}\n`);
    renameSync(unfinished, this.path);
  }
}

function refusal(problem: string): InferenceError {
  return new InferenceError("INVALID_OPTION", `--json ${problem}`);
}
