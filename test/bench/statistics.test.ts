// The benchmark's statistics beside numpy's and scipy's, on recorded samples and on one
// recorded run: tools/bench/statistics_reference.py computed the values of the JSON file.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { arrivalTimes } from "../../src/bench/arrivals.js";
import { repeatFigures, type Surroundings } from "../../src/bench/figures.js";
import { drawLength, parseLengths } from "../../src/bench/lengths.js";
import { Random } from "../../src/bench/random.js";
import type { RequestRecord } from "../../src/bench/record.js";
import {
  coefficientOfVariation,
  distribution,
  interval,
  mean,
  standardDeviation,
} from "../../src/bench/statistics.js";
import { steadyWindow } from "../../src/bench/steady.js";
import { studentQuantile } from "../../src/bench/student.js";

const reference = JSON.parse(readFileSync(new URL("statistics-reference.json", import.meta.url), "utf8"));

interface Sample {
  readonly values: readonly number[];
  readonly distribution: object;
  readonly deviation: number | null;
  readonly interval: { readonly low: number; readonly high: number };
}

interface Gaps {
  readonly shape: number;
  readonly shares: number[];
  readonly quantiles: number[];
}

/** Equal to rounding: every number within 1e-9 of the other, relatively. */
function expectClose(actual: unknown, expected: unknown, path = ""): void {
  if (typeof expected === "number") {
    const error = Math.abs((actual as number) - expected) / Math.max(Math.abs(expected), 1);
    expect(error, path).toBeLessThan(1e-9);
  } else if (typeof expected === "object" && expected !== null) {
    for (const [key, value] of Object.entries(expected))
      expectClose((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
  } else {
    expect(actual, path).toBe(expected);
  }
}

describe("distributions and intervals are numpy's and scipy's", () => {
  it.each<Sample>(reference.samples)("$values.length values", (sample) => {
    const { values, distribution: expected, deviation, interval: expectedInterval } = sample;
    expectClose(distribution(values), expected);
    if (deviation === null)
      return expect(interval(values)).toEqual({ mean: mean(values), low: null, high: null });
    expectClose(standardDeviation(values), deviation);
    expectClose(interval(values), expectedInterval);
  });

  it("Student's quantiles of 1 to 200 degrees of freedom", () => {
    const errors = reference.studentQuantiles.map((value: number, index: number) =>
      Math.abs(studentQuantile(index + 1) - value),
    );
    expect(Math.max(...errors)).toBeLessThan(1e-9);
  });

  it("nothing has no percentile and no mean", () => {
    expect(distribution([])).toBeNull();
    expect(() => mean([])).toThrow(RangeError);
    expect(() => standardDeviation([1])).toThrow(RangeError);
  });
});

const draws = 40_000;

/** The share of draws below each quantile is what it must be, within four standard deviations. */
function expectQuantiles(values: readonly number[], shares: number[], quantiles: number[]): void {
  const sorted = Float64Array.from(values).sort();
  for (const [index, share] of shares.entries()) {
    const below = sorted.findIndex((value) => value > (quantiles[index] ?? Number.NaN)) / sorted.length;
    expect(Math.abs(below - share), `share ${share}`).toBeLessThan(
      4 * Math.sqrt((share * (1 - share)) / draws),
    );
  }
}

describe("random draws have the distributions that scipy says", () => {
  it.each<Gaps>(reference.gaps)(
    "gaps of burstiness $shape, whose mean is the rate exactly",
    ({ shape, shares, quantiles }) => {
      const process = shape === 1 ? "poisson" : "gamma";
      const rate = 8;
      const times = arrivalTimes({ process, rate, burstiness: shape }, draws, new Random(`test ${shape}`));
      const gaps = times.map((at, index) => at - (times[index - 1] ?? 0));
      expectQuantiles(
        gaps.map((gap) => (gap * rate) / 1000),
        shares,
        quantiles,
      );
      expect(times.at(-1)).toBeCloseTo((draws * 1000) / rate, 3);
      // The deviation of a gamma distribution of mean 1 is 1 / √shape.
      expect((coefficientOfVariation(gaps) ?? 0) * Math.sqrt(shape)).toBeCloseTo(1, 1);
    },
  );

  it("normal draws", () => {
    const random = new Random("test normal");
    const values = Array.from({ length: draws }, () => random.normal());
    expectQuantiles(values, reference.normalQuantiles.shares, reference.normalQuantiles.quantiles);
  });

  it("constant arrivals have equal gaps", () => {
    const times = arrivalTimes({ process: "constant", rate: 4, burstiness: 1 }, 5, new Random(""));
    expectClose(times, [250, 500, 750, 1000, 1250]);
  });

  it("the same seed gives the same draws, another seed others", () => {
    const drawn = (seed: string) => {
      const random = new Random(seed);
      return Array.from({ length: 50 }, () => random.uniform());
    };
    expect(drawn("a")).toEqual(drawn("a"));
    expect(new Set([...drawn("a"), ...drawn("b")]).size).toBe(100);
  });

  it.each([
    ["fixed", "96", 96, 0],
    ["uniform", "uniform:40,160", 100, 34.9],
    ["normal", "normal:400,50", 400, 50],
    ["lognormal", "lognormal:400,200", 400, 200],
  ])("lengths, %s", (_, text, expectedMean, deviation) => {
    const lengths = parseLengths(text);
    if (lengths === undefined) throw new Error("no lengths");
    const random = new Random("test lengths");
    const values = Array.from({ length: draws }, () => drawLength(lengths, random));
    expect(mean(values) / expectedMean).toBeCloseTo(1, 1);
    expect(standardDeviation(values) / Math.max(deviation, 1)).toBeCloseTo(deviation === 0 ? 0 : 1, 1);
    expect(values.every((value) => Number.isInteger(value) && value >= 1)).toBe(true);
  });

  it.each(["", "0", "-1", "1.5", "NaN", "uniform:9,3", "normal:0,1", "gauss:1,2", "99999999"])(
    "%j is no length",
    (text) => expect(parseLengths(text)).toBeUndefined(),
  );
});

const idle: Surroundings = {
  ...{ before: null, after: null, kvUseMax: null, cpuShare: 0, physics: null, power: null },
  eventLoopDelayMs: { mean: 0, p50: 0, p99: 0, max: 0 },
};

describe("the figures of a recorded run are those that numpy computes of it", () => {
  const { records, streams, slo, figures: expected } = reference.closedLoop;
  const load = { type: "concurrency", concurrency: streams } as const;
  const { figures } = repeatFigures(load, records as RequestRecord[], slo, idle);

  it("latencies, rates and the window", () => {
    expectClose(figures.latency, expected.latency);
    expectClose(figures.throughput, expected.throughput);
    expect(figures.window).toMatchObject({ kind: "steady", isShort: true });
    expectClose(figures.window?.durationMs, expected.durationMs);
    expect((figures.throughput?.meanInFlight ?? 0) / expected.meanInFlight).toBeCloseTo(1, 4);
  });

  // As AIPerf 0.13 computes it, from latency and first token, and not from the gaps: vLLM does the same.
  it("TPOT is vLLM's, and AIPerf's inter token latency", () => {
    const measured = (records as RequestRecord[]).filter(
      ({ isWarmup, outcome, usage }) =>
        !isWarmup && outcome.type === "finished" && (usage?.completionTokens ?? 0) > 1,
    );
    const theirs = measured.map(({ sentMs, arrivalsMs, usage }) => {
      const [latency, ttft] = [(arrivalsMs.at(-1) ?? 0) - sentMs, (arrivalsMs[0] ?? 0) - sentMs];
      return (latency - ttft) / ((usage?.completionTokens ?? 0) - 1);
    });
    expect(figures.latency.tpotMs?.count).toBe(theirs.length);
    expect(figures.latency.tpotMs?.mean).toBeCloseTo(mean(theirs), 9);
    expect(figures.latency.tpotMs?.max).toBeCloseTo(Math.max(...theirs), 9);
  });

  it("counts", () => {
    expect(figures.requests).toMatchObject({
      warmup: 4,
      sent: 32,
      finished: 30,
      failed: 2,
      good: expected.good,
    });
    expect(figures.errors).toEqual({ "http-503": { count: 2, example: "status 503" } });
  });

  it("there is no steady state where fewer requests than streams are in flight", () => {
    expect(steadyWindow({ type: "concurrency", concurrency: streams + 1 }, records)).toBeNull();
  });
});
