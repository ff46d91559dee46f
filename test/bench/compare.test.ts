// Comparisons of results of a simulated server: false alarms, changes that must be found, what may
// not be compared, and rules.

import { describe, expect, it } from "vitest";
import type { BenchmarkResult } from "../../src/bench/benchmark.js";
import { differencesOf } from "../../src/bench/comparable.js";
import { compareResults } from "../../src/bench/compare.js";
import { broken, parseRule } from "../../src/bench/fail-rule.js";
import { type Nll, nllDifference } from "../../src/bench/nll.js";
import { type Simulation, simulated } from "./simulated.js";

const leastChange = 0.01;

const runs = Array.from({ length: 20 }, (_, run) => run);
const five = { repeats: 5, repeatNoise: 0.01 };
const three = { repeats: 3, repeatNoise: 0.003 };
const drawn = new Map<string, BenchmarkResult>();

/** Drawn once. */
function simulatedOnce(simulation: Simulation): BenchmarkResult {
  const key = JSON.stringify(simulation);
  const known = drawn.get(key) ?? simulated(simulation);
  drawn.set(key, known);
  return known;
}

/** Figures that a comparison of two simulated runs calls changed. */
function flagged(first: Simulation, second: Simulation): string[] {
  return compareResults(simulatedOnce(first), simulatedOnce(second), leastChange)
    .changes.filter(({ verdict }) => verdict !== "same")
    .map(({ metric }) => metric.name);
}

/** As if an engine in this process had been measured. */
function inProcess(result: BenchmarkResult): BenchmarkResult {
  return { ...result, target: { ...result.target, type: "engine" } };
}

describe("of twenty comparisons", () => {
  it.each([five, three])("of a run with itself, at most one finds a change: %j", (noise) => {
    const alarms = runs.filter(
      (run) => flagged({ seed: `first ${run}`, ...noise }, { seed: `second ${run}`, ...noise }).length > 0,
    );
    expect(alarms.length).toBeLessThanOrEqual(1);
  });

  it("of a run with one that is 5 % slower, nineteen find it: five repeats that differ by 1 %", () => {
    const found = runs.filter((run) => {
      const slower = { seed: `slower ${run}`, slowness: 1.05, ...five };
      return flagged({ seed: `first ${run}`, ...five }, slower).includes("out_tok_s");
    });
    expect(found.length).toBeGreaterThanOrEqual(19);
  });
});

describe("a comparison", () => {
  it("tells the change with its interval, and which direction is worse", () => {
    const slower = simulated({ seed: "b", slowness: 1.2, repeatNoise: 0.001 });
    const { changes } = compareResults(simulated({ seed: "a", repeatNoise: 0.001 }), slower, leastChange);
    const of = (name: string) => changes.find(({ metric }) => metric.name === name) ?? expect.fail(name);
    expect(of("out_tok_s")).toMatchObject({ verdict: "worse", repeats: [5, 5] });
    expect(of("out_tok_s").change).toBeCloseTo(1 / 1.2 - 1, 1);
    expect(of("itl_p50").verdict).toBe("worse");
    expect(of("itl_p50").change).toBeCloseTo(0.2, 1);
    for (const { low, change, high } of changes) {
      expect(low ?? Number.NaN).toBeLessThanOrEqual(change ?? Number.NaN);
      expect(high ?? Number.NaN).toBeGreaterThanOrEqual(change ?? Number.NaN);
    }
    const faster = compareResults(slower, simulated({ seed: "a", repeatNoise: 0.001 }), leastChange);
    expect(faster.changes.find(({ metric }) => metric.name === "ttft_p50")?.verdict).toBe("better");
  });

  it("of a file with itself finds nothing", () => {
    const result = simulated({ seed: "a" });
    const { changes, skipped } = compareResults(result, result, 0);
    expect(new Set(changes.map(({ verdict }) => verdict))).toEqual(new Set(["same"]));
    expect(changes.every(({ adjustedP }) => adjustedP === 1)).toBe(true);
    expect(skipped).toEqual([]);
  });

  it("leaves small changes alone, however certain", () => {
    const [before, after] = [
      simulated({ seed: "a", repeatNoise: 0 }),
      simulated({ seed: "b", slowness: 1.05, repeatNoise: 0 }),
    ];
    const verdict = (least: number) =>
      compareResults(before, after, least).changes.find(({ metric }) => metric.name === "out_tok_s")?.verdict;
    expect([verdict(0.01), verdict(0.1)]).toEqual(["worse", "same"]);
  });

  it("where the machine was busier in one of the runs, does not call what that explains a change", () => {
    const quiet = inProcess(simulated({ seed: "a", repeatNoise: 0.001 }));
    const slower = simulated({ seed: "b", slowness: 1.1, repeatNoise: 0.001 });
    const late = (ms: number): BenchmarkResult => ({
      ...inProcess(slower),
      points: slower.points.map((point) => ({
        ...point,
        repeats: point.repeats.map((repeat) => ({
          ...repeat,
          client: { ...repeat.client, eventLoopDelayMs: { mean: ms, p50: ms, p99: ms, max: ms } },
        })),
      })),
    });
    const verdicts = (ms: number, metric: string) =>
      compareResults(quiet, late(ms), leastChange)
        .changes.filter((each) => each.metric.name === metric)
        .map(({ verdict }) => verdict);
    // 50 ms to the first token became 55, and 280 ms of a request 308.
    expect(verdicts(0.5, "ttft_p50")).toEqual(["worse", "worse"]);
    expect(verdicts(2, "ttft_p50")).toEqual(["unknown", "unknown"]);
    expect(verdicts(5, "out_tok_s")).toEqual(["worse", "worse"]);
    expect(verdicts(9, "out_tok_s")).toEqual(["unknown", "unknown"]);
    const comparison = compareResults(quiet, late(9), leastChange);
    expect(() => broken(parseRule("out_tok_s<-3%"), comparison)).toThrow(/the machine was busier in one/);
    expect(broken(parseRule("out_tok_s<-30%"), comparison)).toEqual([]);
  });

  it("of endpoints leaves out repeats in which the client's machine was busier, and says how many", () => {
    const disturb = (result: BenchmarkResult, busy: readonly number[]): BenchmarkResult => ({
      ...result,
      points: result.points.map((point) => ({
        ...point,
        repeats: point.repeats.map((repeat, at) => {
          const ms = busy.includes(at) ? 20 : 0.3;
          return {
            ...repeat,
            throughput: repeat.throughput && {
              ...repeat.throughput,
              outputTokensPerSecond: repeat.throughput.outputTokensPerSecond / (ms > 1 ? 2 : 1),
            },
            client: { ...repeat.client, eventLoopDelayMs: { mean: ms, p50: ms, p99: ms, max: ms } },
          };
        }),
      })),
    });
    const quiet = simulated({ seed: "a", repeatNoise: 0.003 });
    const slower = simulated({ seed: "b", repeatNoise: 0.003, slowness: 1.1 });
    const of = (before: BenchmarkResult, after: BenchmarkResult) => {
      const { changes, leftOut } = compareResults(before, after, leastChange);
      const found = changes.filter(({ metric }) => metric.name === "out_tok_s");
      return {
        verdicts: found.map(({ verdict }) => verdict),
        leftOut: leftOut.map(({ repeats }) => repeats),
      };
    };
    expect(of(disturb(quiet, [1]), disturb(slower, [0, 4]))).toEqual({
      ...{ verdicts: ["worse", "worse"], leftOut: Array<unknown>(2).fill([1, 2]) },
    });
    // Fewer than three would remain: all are compared, and nothing is certain.
    expect(of(disturb(quiet, [1]), disturb(slower, [0, 2, 4]))).toEqual({
      ...{ verdicts: ["same", "same"], leftOut: [] },
    });
    // Half as fast on a machine that was busy all the time, beside one that was not.
    expect(of(quiet, disturb(slower, [0, 1, 2, 3, 4])).verdicts).toEqual(["unknown", "unknown"]);
    // An engine in this process may be what holds the event loop up.
    expect(of(inProcess(disturb(quiet, [1])), inProcess(disturb(slower, [0, 4]))).leftOut).toEqual([]);
  });

  it("with one repeat knows nothing, and says so", () => {
    const [before, after] = [simulated({ seed: "a", repeats: 1 }), simulated({ seed: "b", slowness: 2 })];
    const comparison = compareResults(before, after, leastChange);
    expect(new Set(comparison.changes.map(({ verdict }) => verdict))).toEqual(new Set(["unknown"]));
    expect(() => broken(parseRule("out_tok_s<-3%"), comparison)).toThrow(
      /--fail-on: "out_tok_s<-3%" cannot be judged with one repeat on a side; measure both with --repeats 3/,
    );
  });

  it("skips partial load points and those of one file, with the reason", () => {
    const before = simulated({ seed: "a", concurrency: [1, 2, 4] });
    const after = simulated({ seed: "b", concurrency: [2, 4, 8] });
    const partial = {
      ...after,
      points: after.points.map((each, at) => (at === 1 ? { ...each, isComplete: false } : each)),
    };
    const { skipped, changes } = compareResults(before, partial, leastChange);
    expect(
      skipped.map(({ load, reason }) => [load.type === "concurrency" && load.concurrency, reason]),
    ).toEqual([
      [1, "only the first file has it"],
      [4, "it is partial in the second file"],
      [8, "only the second file has it"],
    ]);
    expect(new Set(changes.map(({ load }) => JSON.stringify(load)))).toHaveProperty("size", 1);
  });
});

/** Losses of two texts' four tokens, each so many nats farther from 2. */
function losses(farther: number, answers: number | null = 1): Nll {
  return {
    ...{ texts: 2, tokens: 4, mean: 2 + farther, logProbs: [-2, -1, -3, -2].map((each) => each - farther) },
    answers: answers === null ? null : { atOnce: 8, tokens: 128, mean: answers },
  };
}

describe("results that differ in more than their figures", () => {
  const base = simulated({ seed: "a", repeats: 1, concurrency: [1] });
  const told = (other: Partial<BenchmarkResult>) =>
    differencesOf(base, { ...base, ...other }).map(({ of, name, before, after }) => [
      of,
      name,
      before,
      after,
    ]);

  it("nothing differs from itself", () => expect(told({})).toEqual([]));

  it.each<[string, Partial<BenchmarkResult>, unknown]>([
    [
      "another model",
      { target: { ...base.target, model: "wolf" } },
      ["model", "model", "fox of an endpoint", "wolf of an endpoint"],
    ],
    [
      "another length",
      { options: { ...base.options, outputTokens: { type: "fixed", tokens: 9 } } },
      ["workload", "outputTokens", '{"type":"fixed","tokens":64}', '{"type":"fixed","tokens":9}'],
    ],
    [
      "ends where one ignores them",
      { target: { ...base.target, ignoreEos: false } },
      ["workload", "ignoreEos", "true", "false"],
    ],
    [
      "another processor",
      { machine: { ...base.machine, cpu: "faster" } },
      ["machine", "cpu", "simulated", "faster"],
    ],
    [
      "other answers",
      { greedyDigest: { sha256: "b", prompts: 4, outputTokens: 24 } },
      ["answers", "greedyDigest", "a".repeat(64), "b"],
    ],
    ["no answers", { greedyDigest: null }, [null, "greedyDigest", "a".repeat(64), "not taken"]],
    ["losses on one side", { nll: losses(0) }, [null, "nll", "not measured", "2.0000"]],
    [
      "another build",
      { build: { infernode: "0.2.0", llamaCpp: "v0.5.0" } },
      [null, "infernode", "0.1.0", "0.2.0"],
    ],
    ["another seed", { options: { ...base.options, seed: 1 } }, [null, "seed", "0", "1"]],
  ])("%s", (_, other, expected) => expect(told(other)).toEqual([expected]));

  it.each<[string, Nll, string | null]>([
    ["the same losses", losses(0), null],
    ["losses within the band, answers that parted", losses(0.019, 1.2), null],
    ["answers on one side only", losses(0, null), null],
    [
      "losses beyond it",
      losses(0.021),
      "the tokens' losses are 0.0210 nats apart (at most 0.02), 2.0000 and 2.0210 on average",
    ],
    [
      "not a number",
      losses(Number.NaN),
      "the tokens' losses are NaN nats apart (at most 0.02), 2.0000 and NaN on average",
    ],
    [
      "a batch that says something else",
      losses(0, 3),
      "the losses of batched answers are 1.0000 and 3.0000 nats (at most 0.25 apart)",
    ],
    [
      "another tokenizer",
      { ...losses(0), tokens: 3, logProbs: [-2, -1, -3] },
      "the texts have 4 and 3 tokens: other tokenizers",
    ],
  ])("%s", (_, other, expected) => {
    expect(nllDifference(losses(0), other)).toBe(expected);
    const found = differencesOf({ ...base, nll: losses(0) }, { ...base, nll: other });
    expect(found.map(({ of, name }) => [of, name])).toEqual(expected === null ? [] : [["answers", "nll"]]);
  });
});

describe("a rule", () => {
  const pair = (slowness: number) =>
    compareResults(simulated({ seed: "a" }), simulated({ seed: "b", slowness }), leastChange);

  it("is broken by a certain change beyond its limit, at each load", () => {
    const loads = (rule: string, slowness: number) => broken(parseRule(rule), pair(slowness)).length;
    expect(loads("out_tok_s<-3%", 1.2)).toBe(2);
    expect(loads("out_tok_s<-30%", 1.2)).toBe(0);
    expect(loads("out_tok_s<-3%", 1)).toBe(0);
    expect(loads("itl_p50>5%", 1.2)).toBe(2);
    expect(loads("itl_p50 > +5.5 %", 1.2)).toBe(2);
    expect(loads("out_tok_s>3%", 0.8)).toBe(2);
  });

  it.each([
    [
      "out_tok_s",
      /must be a figure, < or > and a change in percent, such as "out_tok_s<-3%", got "out_tok_s"/,
    ],
    ["out_tok_s<-3", /must be a figure/],
    ["out_tok_s<NaN%", /must be a figure/],
    ["tokens<-3%", /"tokens<-3%" names no figure; there are out_tok_s, in_tok_s/],
  ])("%j is none", (text, sentence) => expect(() => parseRule(text)).toThrow(sentence));
});
