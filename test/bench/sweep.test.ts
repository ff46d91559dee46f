// Sweeps find where a server is saturated, over queues whose capacity is known: what the points are
// computed from is simulated, and the sweep decides by what it would of real ones.
import { describe, expect, it } from "vitest";
import { arrivalTimes } from "../../src/bench/arrivals.js";
import { repeatFigures } from "../../src/bench/figures.js";
import type { Load } from "../../src/bench/load.js";
import { amountOf, type BenchmarkOptions, engineShape, judgeBenchmark } from "../../src/bench/options.js";
import { type MeasuredPoint, pointResult } from "../../src/bench/point.js";
import { Random } from "../../src/bench/random.js";
import { LoadPlan } from "../../src/bench/sweep.js";
import { nothing, recordOf } from "./simulated.js";

const slo = { ttftMs: 500, itlMs: 50 };
const serviceMs = 200;

/** A server of so many slots; each request takes 200 ms of one. */
function measure(load: Load, given: BenchmarkOptions, slots: number): MeasuredPoint {
  const { warmup, requests = 0 } = amountOf(load, judgeBenchmark(given));
  const count = warmup + requests;
  const repeats = Array.from({ length: 3 }, (_, repeat) => {
    const free = Array.from({ length: slots }, () => 0);
    const take = (atMs: number) => {
      const slot = free.indexOf(Math.min(...free));
      free[slot] = Math.max(atMs, free[slot] ?? 0) + serviceMs;
      return free[slot] ?? 0;
    };
    const sends: number[] = load.type === "rate" ? arrivalTimes(load, count, new Random(`${repeat}`)) : [];
    const streams = load.type === "concurrency" ? load.concurrency : 0;
    const ends: number[] = [];
    for (let at = 0; at < count; at += 1) {
      sends[at] ??= at < streams ? 0 : ([...ends].sort((a, b) => a - b)[at - streams] ?? 0);
      ends.push(take(sends[at] ?? 0));
    }
    const records = ends.map((endMs, at) =>
      recordOf({ sentMs: sends[at] ?? 0, endMs, isWarmup: at < warmup }),
    );
    return repeatFigures(load, records, slo, nothing);
  });
  return pointResult(load, repeats, true);
}

/** Runs a plan to its end. */
function swept(given: BenchmarkOptions, measured: (load: Load) => MeasuredPoint) {
  const plan = new LoadPlan(judgeBenchmark(given));
  const points: MeasuredPoint[] = [];
  for (let load = plan.next(points); load !== null; load = plan.next(points)) points.push(measured(load));
  return {
    total: plan.total,
    points,
    loads: points.map(({ load }) => load),
    saturations: plan.saturations(points),
  };
}

const streamsOf = (loads: readonly Load[]) =>
  loads.map((load) => (load.type === "concurrency" ? load.concurrency : Number.NaN));
const ratesOf = (loads: readonly Load[]) =>
  loads.flatMap((load) => (load.type === "rate" ? [load.rate] : []));

describe("a sweep of concurrency", () => {
  it("doubles until two doublings bring nothing, and names the least load that has all", () => {
    const given: BenchmarkOptions = { concurrency: "sweep" };
    const { loads, saturations, total } = swept(given, (load) => measure(load, given, 8));
    expect(total).toBeNull();
    expect(streamsOf(loads)).toEqual([1, 2, 4, 8, 16, 32]);
    expect(saturations).toMatchObject([
      { sweep: "concurrency", isFound: true, load: { type: "concurrency", concurrency: 8 } },
    ]);
    expect(saturations[0]?.sentence).toMatch(
      /^Saturated: [\d.]+ output tokens\/s .* concurrency 8; up to concurrency 32/,
    );
  });

  it("goes on over one doubling that brings nothing, as kernels change with a batch's width", () => {
    const rates: Readonly<Record<number, number>> = { 1: 1, 2: 1.9, 4: 1.9, 8: 4, 16: 4, 32: 4 };
    const point = (load: Load) => pointOf(load, rates[streamsOf([load])[0] ?? 0] ?? 0);
    const { loads, saturations } = swept({ concurrency: "sweep" }, point);
    expect(streamsOf(loads)).toEqual([1, 2, 4, 8, 16, 32]);
    expect(saturations[0]?.load).toEqual({ type: "concurrency", concurrency: 8 });
  });

  it("ends at 1024 streams without saturation, and says so", () => {
    const { loads, saturations } = swept({ concurrency: "sweep" }, (load) =>
      pointOf(load, streamsOf([load])[0] ?? 0),
    );
    expect(streamsOf(loads).at(-1)).toBe(1024);
    expect(saturations).toMatchObject([{ isFound: false, load: { concurrency: 1024 } }]);
    expect(saturations[0]?.sentence).toMatch(/^Not saturated up to concurrency 1024/);
  });
});

describe("a sweep of rates", () => {
  it.each([1, 4, 16])("of a server of %d slots ends around its capacity", (slots) => {
    const given: BenchmarkOptions = { rate: "sweep", arrivals: "constant" };
    const { loads, saturations } = swept(given, (load) => measure(load, given, slots));
    expect(loads[0]).toEqual({ type: "concurrency", concurrency: 1 });
    const capacity = (slots * 1000) / serviceMs;
    const kept = saturations[0]?.load?.type === "rate" ? saturations[0].load.rate : Number.NaN;
    expect(saturations[0]).toMatchObject({ sweep: "rate", isFound: true });
    expect(kept / capacity).toBeGreaterThan(0.8);
    expect(kept / capacity).toBeLessThan(1.11);
    // Found twice as near as by doubling alone.
    const beyond = Math.min(...ratesOf(loads).filter((rate) => rate > kept));
    expect(beyond / kept).toBeLessThan(1.25);
  });

  it("comes after what was listed, and does not measure one stream twice", () => {
    const given: BenchmarkOptions = { rate: "sweep", concurrency: [1, 2], arrivals: "constant" };
    const { loads } = swept(given, (load) => measure(load, given, 4));
    expect(loads.filter(({ type }) => type === "concurrency")).toHaveLength(2);
    expect(loads[2]).toMatchObject({ type: "rate", process: "constant" });
  });

  it("of a server that answers nothing ends without a rate", () => {
    const { saturations } = swept({ rate: "sweep" }, (load) => pointResult(load, [], true));
    expect(saturations).toMatchObject([{ sweep: "rate", isFound: false, load: null }]);
  });
});

it("an engine that is swept has room for many requests", () => {
  expect(engineShape(judgeBenchmark({ concurrency: "sweep" }))).toMatchObject({
    slots: 64,
    queueLimit: 1024,
  });
  expect(engineShape(judgeBenchmark({ rate: "sweep", slots: 8 }))).toMatchObject({ slots: 8 });
});

/** A point of so many tokens per second. */
function pointOf(load: Load, tokensPerSecond: number): MeasuredPoint {
  const spacingMs = 1000 / tokensPerSecond;
  const streams = load.type === "concurrency" ? load.concurrency : 1;
  const records = Array.from({ length: 4 * streams }, (_, at) =>
    recordOf({
      sentMs: Math.max(0, at - streams + 1) * spacingMs,
      endMs: (at + 1) * spacingMs,
      isWarmup: at < streams,
    }),
  );
  return pointResult(load, [repeatFigures(load, records, slo, nothing)], true);
}
