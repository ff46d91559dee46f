// What became of each block, told as it happens and counted at the end; every block of
// every document is in exactly one of the counts.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { root } from "../setup/paths.mjs";
import { say } from "../setup/steps.mjs";
import { blocksOf } from "./blocks.mjs";

/** The documents whose blocks are run, by their names in the checkout. */
export function documents() {
  const below = readdirSync(path.join(root, "docs"), { recursive: true })
    .filter((file) => file.endsWith(".md"))
    .map((file) => path.join("docs", file))
    .sort();
  return ["README.md", "CONTRIBUTING.md", ...below];
}

/** @returns a document's blocks */
export function read(file) {
  return blocksOf(readFileSync(path.join(root, file), "utf8"), file);
}

export class Report {
  #tell;
  #counts = { run: 0, typed: 0, failed: 0, "not run": 0, shown: 0 };

  /** @param tell is given each line of news; it is for whoever runs this by hand */
  constructor(tell = say) {
    this.#tell = tell;
  }

  /** Counts the blocks that nothing runs, and tells why where somebody might expect it. */
  addIdle(blocks) {
    for (const block of blocks) {
      if (block.kind === "shown") this.#counts.shown += 1;
      else if (block.notRun) this.#notRun(block, block.notRun);
    }
  }

  #notRun({ file, line }, reason) {
    this.#counts["not run"] += 1;
    this.#tell(`not run: ${file}:${line}: ${reason}`);
  }

  /** @param {string | undefined} problem undefined: none */
  add({ file, line, kind }, problem) {
    this.#counts[problem === undefined ? kind : "failed"] += 1;
    if (problem !== undefined) this.#tell(`FAILED: ${file}:${line}: ${problem}`);
  }

  get failed() {
    return this.#counts.failed;
  }

  /** Throws where a block is in no count. */
  close(blocks, title) {
    const counted = Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
    if (counted !== blocks.length) {
      throw new Error(`${blocks.length} blocks were read and ${counted} counted`);
    }
    const { run, typed, failed, shown } = this.#counts;
    const notRun = this.#counts["not run"];
    return (
      `${title}: ${run} blocks run, ${typed} type-checked, ${failed} failed, ` +
      `${notRun} not run for the reasons above, ${shown} only shown`
    );
  }
}
