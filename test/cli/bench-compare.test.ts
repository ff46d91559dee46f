// `infernode bench compare` as a process: its table, its JSON, rules and exit codes.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import type { BenchmarkResult } from "../../src/bench/benchmark.js";
import { type Simulation, simulated } from "../bench/simulated.js";
import { runCommand } from "../helpers/programs.js";

const folder = mkdtempSync(join(tmpdir(), "infernode-compare-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A result in a file. @returns its path */
function written(name: string, simulation: Simulation, other: Partial<BenchmarkResult> = {}): string {
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify({ ...simulated(simulation), ...other }));
  return path;
}

const before = written("before", { seed: "a" });
const slower = written("slower", { seed: "b", slowness: 1.3 });
const same = written("same", { seed: "c" });
const compare = (...args: string[]) => runCommand(["bench", "compare", ...args]);

vi.setConfig({ testTimeout: 120_000 });

it("prints a table; a broken rule is code 1 and one sentence for each load", async () => {
  const { code, stdout, stderr } = await compare(before, slower, "--fail-on", "out_tok_s<-3%");
  const [heading, first] = stdout.split("\n");
  expect(heading).toMatch(/^load +figure +before +after +change +95 % interval +p +verdict$/);
  expect(first).toMatch(/^concurrency 1 +out_tok_s tokens\/s +[\d.]+ +[\d.]+ +-2\d\.\d % .* worse$/);
  expect(stdout).toMatch(/Of \d+ figures 0 are better and \d+ are worse/);
  expect(stdout).toContain("Answers at temperature 0: the same.");
  const said = stderr.trimEnd().split("\n");
  expect(said).toHaveLength(2);
  expect(said[0]).toMatch(/^infernode: out_tok_s<-3%: -2\d\.\d % at concurrency 1$/);
  expect(code).toBe(1);
});

it("without a change is code 0; --json is one line", async () => {
  const { code, stdout, stderr } = await compare(before, same, "--fail-on", "out_tok_s<-3%", "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  const { changes, differences } = JSON.parse(stdout);
  expect(differences).toEqual([]);
  expect(changes[0]).toMatchObject({
    metric: "out_tok_s",
    unit: "tokens/s",
    verdict: "same",
    repeats: [5, 5],
  });
});

it("other answers are code 1 after the table, unless they are allowed", async () => {
  const other = { greedyDigest: { sha256: "b".repeat(64), prompts: 4, outputTokens: 24 } };
  const wrong = written("wrong", { seed: "c" }, other);
  const [refused, allowed] = await Promise.all([
    compare(before, wrong),
    compare(before, wrong, "--allow", "answers"),
  ]);
  expect(refused.stdout).toContain("Differs: greedyDigest, ");
  expect(refused.stderr).toContain(
    "the answers at temperature 0 differ, so the faster one may compute something else",
  );
  expect([refused.code, allowed.code]).toEqual([1, 0]);
});

it.each([
  [
    "another machine",
    ["--allow", "model"],
    /another machine \(cpu: simulated and faster\); .* add --allow machine$/m,
  ],
  [
    "a rule of no figure",
    ["--allow", "machine", "--fail-on", "speed<1%"],
    /--fail-on: "speed<1%" names no figure/,
  ],
  ["an unknown thing", ["--allow", "weather"], /Expected model, workload, machine, answers/],
])("%s: code 2, one sentence, stdout clean", async (_, flags, sentence) => {
  const machine = { ...simulated({ seed: "c" }).machine, cpu: "faster" };
  const faster = written("faster", { seed: "c" }, { machine });
  const { code, stdout, stderr } = await compare(before, faster, ...flags);
  expect(stderr).toMatch(sentence);
  expect(stderr).not.toContain("    at ");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
});

it("files that are no results: code 2, the file and the field by name", async () => {
  const broken = join(folder, "broken.json");
  writeFileSync(broken, JSON.stringify({ ...simulated({ seed: "a" }), points: [{}] }));
  const text = join(folder, "text.json");
  writeFileSync(text, "no JSON");
  const said = await Promise.all([
    compare(before, "no-such.json"),
    compare(before, broken),
    compare(text, before),
  ]);
  expect(said.map(({ code }) => code)).toEqual([2, 2, 2]);
  expect(said[0]?.stderr).toContain("no-such.json cannot be read: ENOENT");
  expect(said[1]?.stderr).toMatch(
    /broken\.json must be a result of infernode bench --json FILE \(points\.0\.load: /,
  );
  expect(said[2]?.stderr).toContain("and is no JSON");
});
