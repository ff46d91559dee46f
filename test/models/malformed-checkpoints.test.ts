// Every malformed checkpoint of tools/checkpoints/malformed through the public door, in a
// child process: refused with a fitting code and a sentence that names the place, or loaded
// where the entry is a valid neighbour. No crash, no hang, bounded memory, and no file left in
// the cache by a refusal.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { table, writeEntry } from "../../tools/checkpoints/malformed/table.mjs";

const program = fileURLToPath(new URL("../fixtures/programs/load-checkpoints.mjs", import.meta.url));
const timeout = 60_000;
const mostPeakKiB = 1_500_000; // a header of a million tensors is parsed; 300 MB files are not read

interface Verdict {
  readonly code?: string;
  readonly message?: string;
  readonly peakKiB?: number;
}

/** The child process; a new one after a crash, so that each entry is judged. */
class Loader {
  #child: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;

  constructor(readonly cache: string) {}

  async ask(entry: { folder: string; options?: object }): Promise<Verdict> {
    if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null)
      this.#start();
    this.#child?.stdin?.write(`${JSON.stringify(entry)}\n`);
    return await this.#next();
  }

  /** The largest memory the process had. */
  async end(): Promise<number> {
    this.#child?.stdin?.end();
    return (await this.#next()).peakKiB ?? Number.NaN;
  }

  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  #start(): void {
    const env = { ...process.env, HOME: this.cache, XDG_CACHE_HOME: this.cache };
    this.#child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"], env });
    const output = this.#child.stdout;
    if (output === null) throw new Error("the child has no output");
    this.#lines = createInterface({ input: output })[Symbol.asyncIterator]();
  }

  async #next(): Promise<Verdict> {
    const { value, done } = (await this.#lines?.next()) ?? { done: true, value: undefined };
    if (done === true || value === undefined)
      throw new Error(`the process died: ${this.#child?.signalCode ?? this.#child?.exitCode}`);
    return JSON.parse(value) as Verdict;
  }
}

let folder: string;
let loader: Loader;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "infernode-malformed-"));
  loader = new Loader(join(folder, "cache"));
});
afterAll(() => {
  loader.kill();
  rmSync(folder, { recursive: true });
});

/** Files below a folder, or none where there is no such folder. */
function filesBelow(at: string): readonly string[] {
  if (!existsSync(at)) return [];
  return readdirSync(at, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map(({ name }) => name);
}

it.each(table)("$entry", { timeout }, async (row) => {
  const at = writeEntry(row, folder);
  const before = filesBelow(loader.cache);
  const verdict = await loader.ask({ folder: at, ...(row.options && { options: row.options }) });
  rmSync(at, { recursive: true });
  if (row.refused === undefined) {
    expect(verdict).toEqual({});
    return;
  }
  expect(row.refused, verdict.message).toContain(verdict.code);
  for (const name of row.names ?? [])
    expect(
      name.split("|").some((each) => verdict.message?.includes(each)),
      `${verdict.message} (${name})`,
    ).toBe(true);
  expect(filesBelow(loader.cache)).toEqual(before);
});

it("has needed a bounded amount of memory for all of them", { timeout }, async () => {
  expect(await loader.end()).toBeLessThan(mostPeakKiB);
});
