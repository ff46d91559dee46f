// `infernode bench gpus` as a process: machines beside each other, the guides' table, and results that
// do not belong together.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import type { BenchmarkResult } from "../../src/bench/benchmark.js";
import { costOf } from "../../src/bench/cost.js";
import { priceOf } from "../../src/bench/price.js";
import { type Simulation, simulated } from "../bench/simulated.js";
import { runCommand } from "../helpers/programs.js";

const folder = mkdtempSync(join(tmpdir(), "infernode-gpus-"));
afterAll(() => rmSync(folder, { recursive: true }));

vi.setConfig({ testTimeout: 120_000 });

/** As of a model of 8.03 billion weights that lies on these GPUs. */
function onGpus(gpus: readonly string[], simulation: Simulation): BenchmarkResult {
  const result = simulated(simulation);
  const price = priceOf({ names: gpus, pricePerHour: undefined });
  const facts = { requestsPerHour: undefined, coldStartSeconds: null, idleTimeoutSeconds: 5 };
  const layers = { layers: [0], hasOutput: true, weightBytes: 1 };
  const devices = gpus.map((_, index) => ({ name: `CUDA${index}`, ...layers }));
  const model = { name: "Llama", description: "8B Q4_K_M", parameterCount: 8.03e9, devices };
  return {
    ...result,
    ...{ price, target: { type: "engine", model, gpus, ignoreEos: true } },
    points: result.points.map((point) => ({ ...point, cost: costOf(point, price, facts) })),
  };
}

function written(name: string, result: unknown): string {
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(result));
  return path;
}

const l4 = written("l4", onGpus(["NVIDIA L4"], { seed: "a", slowness: 2 }));
const fast = written("fast", onGpus(["NVIDIA GeForce RTX 4090"], { seed: "b" }));
const pair = written("pair", onGpus(["NVIDIA GB10", "NVIDIA GB10"], { seed: "c", slowness: 0.8 }));
const remote = written("remote", simulated({ seed: "d" }));
const gpus = (...args: string[]) => runCommand(["bench", "gpus", ...args]);

it("one line a machine at its best load, the cheapest first, without a price last", async () => {
  const { code, stdout, stderr } = await gpus(pair, l4, fast);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [heading, ...lines] = stdout.split("\n");
  expect(heading).toMatch(/^machine +model +load +out tok\/s +per GPU .*\$\/Mtok out +blended$/);
  expect(lines[0]).toMatch(/^RTX 4090 +Llama, 8B Q4_K_M +concurrency 4 +\d+ .* kept +0\.\d+ +0\.\d+$/);
  expect(lines[1]).toMatch(/^L4 +Llama, 8B Q4_K_M .* kept +\d.*$/);
  expect(lines[2]).toMatch(/^2 x NVIDIA GB10 .* - +-$/);
  expect(stdout).toContain("no price is known; measure with --gpu or --price-per-hour");
});

it("--json has the figures of the files: per GPU, and the price over them", async () => {
  const { stdout } = await gpus(pair, fast, "--json");
  const [cheapest, other] = JSON.parse(stdout);
  expect(cheapest).toMatchObject({ machine: "RTX 4090", parameters: 8.03e9, keepsSlo: true });
  expect(cheapest.dollarsOutput * cheapest.outputTokensPerSecond).toBeGreaterThan(0.00031 * 1e6 * 0.99);
  expect(cheapest.dollarsOutput * cheapest.outputTokensPerSecond).toBeLessThan(0.00031 * 1e6 * 1.01);
  expect(other.gpuTokensPerSecond).toBeCloseTo(other.outputTokensPerSecond / 2, 9);
  expect(other).toMatchObject({ dollarsOutput: null, dollarsBlended: null });
});

it("--markdown fills the guides' table, and says what nobody measured", async () => {
  const { stdout } = await gpus(l4, fast, pair, remote, "--markdown");
  const lines = stdout.trimEnd().split("\n");
  expect(lines[0]).toBe("| Model size | GPU | Throughput | Latency | $/Mtok out |");
  expect(lines[2]).toMatch(
    /^\| 7-8B \| L4 \| [\d.]+ tok\/s \(concurrency 4\) \| TTFT [\d.]+ ms, ITL [\d.]+ ms \(p50\) \| /,
  );
  expect(lines[3]).toMatch(/^\| 7-8B \| RTX 4090 \| \d+ tok\/s /);
  expect(lines[4]).toBe("| 13-14B | A10G | not measured | not measured | - |");
  expect(lines.filter((line) => line.includes("not measured"))).toHaveLength(4);
  expect(lines.at(-2)).toMatch(/^\| 8\.0B \| 2 x NVIDIA GB10 \| .* \| - \|$/);
  expect(lines.at(-1)).toMatch(/^\| fox \| http:\/\/localhost:8000\/v1 \| /);
});

it("a load at which requests miss the limits is taken only where all do, and said", async () => {
  const result = onGpus(["L4"], { seed: "e" });
  const missing = (count: number) => ({
    ...result,
    points: result.points.map((point, index) => ({
      ...point,
      overall: { ...point.overall, goodShare: index >= count ? 0.5 : 1 },
    })),
  });
  const [one, none] = await Promise.all([
    gpus(written("one", missing(1)), "--json"),
    gpus(written("none", missing(0))),
  ]);
  expect(JSON.parse(one.stdout)[0]).toMatchObject({ load: "concurrency 1", keepsSlo: true });
  expect(none.stdout).toMatch(/^L4 .* concurrency 4 .* missed /m);
});

it("results of another workload, none at all, and partial ones: one sentence each", async () => {
  const result = onGpus(["L4"], { seed: "f" });
  const longer = written("longer", {
    ...result,
    options: { ...result.options, turns: { type: "fixed", tokens: 2 } },
  });
  const partial = written("partial", {
    ...result,
    points: result.points.map((point) => ({ ...point, isComplete: false })),
  });
  const [other, allowed, some, nothing, both] = await Promise.all([
    gpus(l4, longer),
    gpus(l4, longer, "--allow", "workload"),
    gpus(l4, partial),
    gpus(partial),
    gpus(l4, "--markdown", "--json"),
  ]);
  expect(other).toMatchObject({ code: 2, stdout: "" });
  expect(other.stderr).toMatch(
    /longer\.json is of another workload than .*l4\.json \(turns: .*add --allow workload\n$/,
  );
  expect([allowed.code, allowed.stderr]).toEqual([0, ""]);
  expect(some.code).toBe(0);
  expect(some.stderr).toMatch(/partial\.json has no complete load point and is left out\n$/);
  expect(nothing).toMatchObject({ code: 2, stdout: "" });
  expect(nothing.stderr).toContain("these results have no complete load point");
  expect([both.code, both.stdout]).toEqual([2, ""]);
});
