// Every field of a result has its formula, and every formula is of a field that results have.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runBenchmark } from "../../src/bench/benchmark.js";
import { calibrate, calibrationCases } from "../../src/bench/calibration.js";
import { coldPhases } from "../../src/bench/cold-start.js";
import { openEngine } from "../../src/bench/engine-target.js";
import { fieldFormulas, shapeFormulas } from "../../src/bench/fields.js";
import { engineShape, judgeBenchmark } from "../../src/bench/options.js";
import { energyOf } from "../../src/bench/power.js";
import { interval } from "../../src/bench/statistics.js";
import { embeddedModelPath } from "../../src/index.js";
import { benchEndpoint, startEndpoint } from "./endpoint.js";

const shapes: Readonly<Record<string, readonly string[]>> = {
  distribution: Object.keys(shapeFormulas.distribution),
  interval: Object.keys(shapeFormulas.interval),
  pooled: [...Object.keys(shapeFormulas.distribution), "overRepeats"],
};

/** The paths of a value that have a formula; fails at one that has none. */
function documented(value: unknown, path: string, seen: Set<string>): void {
  const entry = fieldFormulas[path];
  if (entry !== undefined) {
    // Null where the other kind of target has it; then that one must prove the shape.
    if (value !== null) seen.add(path);
    const names = shapes[entry.type];
    if (names !== undefined && value !== null)
      expect(Object.keys(value as object).sort(), path).toEqual([...names].sort());
    return;
  }
  if (Array.isArray(value)) for (const item of value) documented(item, `${path}[]`, seen);
  else if (typeof value === "object" && value !== null) {
    for (const [key, below] of Object.entries(value))
      documented(below, path === "" ? key : `${path}.${key}`, seen);
  } else if (value !== null) expect.fail(`${path} has no formula`);
}

describe("the fields of results", { timeout: 120_000 }, () => {
  it("each has a formula, and each formula has a field", async () => {
    const seen = new Set<string>();
    const address = await startEndpoint();
    documented(await benchEndpoint(`${address}/plain`), "", seen);
    documented(await benchEndpoint(`${address}/plain`, { turns: "2" }), "", seen);
    documented(await benchEndpoint(`${address}/plain`, { prompts: promptFile() }), "", seen);
    documented(await benchEndpoint(`${address}/metered`), "", seen);
    const sweep = { concurrency: "sweep", requests: 2, warmup: 0, repeats: 1 } as const;
    documented(await benchEndpoint(`${address}/plain`, sweep), "", seen);
    const priced = { gpu: "L4", traffic: 30, coldStart: 9 };
    documented(await benchEndpoint(`${address}/plain`, priced), "", seen);
    const calibration = await calibrate(new AbortController().signal, calibrationCases.slice(0, 1));
    documented({ calibration }, "", seen);
    documented({ reference: { path: "a.json", sha256: "a", isSame: true } }, "", seen);
    const options = judgeBenchmark({
      concurrency: [2],
      requests: 4,
      repeats: 2,
      outputTokens: "8",
      threads: 1,
    });
    const { threads, gpuLayers, kvType, ignoreEos } = options;
    const open = (signal: AbortSignal) =>
      openEngine(
        { model: embeddedModelPath(), threads, gpuLayers, kvType, ignoreEos, ...engineShape(options) },
        signal,
      );
    documented(await runBenchmark(options, { open, signal: new AbortController().signal }), "", seen);
    const phases = Object.fromEntries([...coldPhases, "totalMs"].map((name) => [name, 1]));
    const cold = Object.keys(phases).map((name) => [name, interval([1, 2])]);
    documented({ cold: { runs: [phases], phases: Object.fromEntries(cold) } }, "", seen);
    const watts = (atMs: number) => ({
      atMs,
      reading: { problem: "", gpus: [{ name: "L4", bus: "1", watts: 50, joules: null }] },
    });
    documented({ points: [{ repeats: [{ energy: energyOf([watts(0), watts(10)], null, 4) }] }] }, "", seen);
    // What these two runs had no reason for.
    const without = ["ended.sentence", "points[].repeats[].tokens.cachedPromptShare"];
    without.push("points[].repeats[].engine.draftAcceptance", "points[].repeats[].energy.reason");
    without.push("points[].repeats[].physics.mfu", "physics.datasheetF16OperationsPerSecond");
    expect(
      [...Object.keys(fieldFormulas)].filter((path) => !seen.has(path) && !without.includes(path)),
    ).toEqual([]);
  });
});

/** @returns the path of a file with one prompt */
function promptFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "infernode-fields-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "prompts.jsonl"), '{"prompt": "The old cat"}');
  return join(folder, "prompts.jsonl");
}
