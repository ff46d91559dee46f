// The gate against a faster engine that computes something else, as a command: `--reference`.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { runCommand } from "../helpers/programs.js";

vi.setConfig({ testTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), "infernode-reference-"));
const small = [
  "--concurrency",
  "1",
  "--requests",
  "1",
  "--repeats",
  "1",
  "--output-tokens",
  "2",
  "--no-physics",
];
const earlier = join(folder, "earlier.json");

beforeAll(async () => {
  const { code } = await runCommand(["bench", ...small, "--json", earlier]);
  expect(code).toBe(0);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function changed(name: string, greedyDigest: object | null): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(earlier, "utf8")), greedyDigest }));
  return path;
}

it("the same model gives the answers of the reference: code 0, and the table says so", async () => {
  const { code, stdout } = await runCommand(["bench", ...small, "--reference", earlier]);
  expect(stdout).toContain(`The answers are those of ${earlier}.`);
  expect(code).toBe(0);
});

it("other answers: code 1 with one sentence, and the figures are there", async () => {
  const path = changed("other.json", { sha256: "b".repeat(64), prompts: 4, outputTokens: 24 });
  const { code, stdout, stderr } = await runCommand(["bench", ...small, "--reference", path]);
  expect(stderr).toContain(`the answers at temperature 0 are not those of ${path} (--reference)`);
  expect(stdout).toContain(`The answers are not those of ${path} (sha256 bbbb`);
  expect(stdout).toContain("concurrency 1");
  expect(code).toBe(1);
});

it.each([
  [() => changed("none.json", null), "has no digest of answers at temperature 0"],
  [() => join(folder, "nothing.json"), "cannot be read"],
])("a file that is no reference is refused before anything is measured", async (path, sentence) => {
  const { code, stdout, stderr } = await runCommand(["bench", ...small, "--reference", path()]);
  expect(stderr).toContain(sentence);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
});
