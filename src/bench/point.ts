// One load point over its repeats: pooled latencies, and 95 % intervals of what the repeats
// measured each on their own.
import type { PointCost } from "./cost.js";
import {
  type LatencyFigures,
  latencyFigures,
  type RepeatFigures,
  type Samples,
  type Throughput,
} from "./figures.js";
import type { Load } from "./load.js";
import { type Distribution, distributionFigures, type Interval, interval } from "./statistics.js";

/** A distribution over all repeats, and how far each of its figures is known. */
export interface PooledDistribution extends Distribution {
  /** Of the repeats' own values; low and high are null with fewer than two repeats. */
  readonly overRepeats: Readonly<Record<(typeof distributionFigures)[number], Interval>>;
}

/** What all repeats say together. */
export interface OverallFigures {
  readonly repeats: number;
  readonly throughput: Readonly<Record<keyof Throughput, Interval>> | null;
  /** GPUs that the throughput is of; 1 where a CPU computes or nothing is known. */
  readonly gpus: number;
  /** Of each of them. */
  readonly perGpu: Readonly<Record<keyof PerGpu, Interval>> | null;
  readonly latency: LatencyFigures<PooledDistribution>;
  readonly goodShare: number | null;
  readonly failed: number;
}

/** What each GPU yields. */
type PerGpu = Pick<Throughput, "outputTokensPerSecond" | "inputTokensPerSecond">;

/** One load point, as measured. */
export interface MeasuredPoint {
  readonly load: Load;
  /** False where the run was interrupted or the target was lost in it. */
  readonly isComplete: boolean;
  readonly repeats: readonly RepeatFigures[];
  readonly overall: OverallFigures;
}

/** One load point, and what its tokens cost. */
export interface PointResult extends MeasuredPoint {
  /** Null where no price is known. */
  readonly cost: PointCost | null;
}

/** A repeat with the values behind its figures. */
export interface MeasuredRepeat {
  readonly figures: RepeatFigures;
  readonly samples: Samples;
}

const latencyNames = [
  ...["ttftMs", "arrivalTtftMs", "tpotMs", "itlMs", "endToEndMs", "lastTextMs", "queueMs"],
  "userTokensPerSecond",
] as readonly (keyof LatencyFigures)[];

const throughputNames = [
  ...["outputTokensPerSecond", "inputTokensPerSecond", "requestsPerSecond", "goodRequestsPerSecond"],
  "meanInFlight",
] as readonly (keyof Throughput)[];

/** @param repeats in the order in which they ran @param gpus that compute */
export function pointResult(
  load: Load,
  repeats: readonly MeasuredRepeat[],
  isComplete: boolean,
  gpus = 1,
): MeasuredPoint {
  const figures = repeats.map((each) => each.figures);
  const throughput = throughputOver(figures);
  const sum = (count: (each: RepeatFigures) => number) =>
    figures.reduce((total, each) => total + count(each), 0);
  const ended = sum(({ requests }) => requests.finished + requests.failed);
  return {
    ...{ load, isComplete, repeats: figures },
    overall: {
      repeats: figures.length,
      throughput,
      ...{ gpus, perGpu: throughput && perGpuOf(throughput, gpus) },
      latency: latencyOver(repeats),
      goodShare: ended === 0 ? null : sum(({ requests }) => requests.good) / ended,
      failed: sum(({ requests }) => requests.failed),
    },
  };
}

function throughputOver(figures: readonly RepeatFigures[]): OverallFigures["throughput"] {
  const known = figures.map(({ throughput }) => throughput).filter((each) => each !== null);
  if (known.length === 0) return null;
  const entries = throughputNames.map((name) => [name, interval(known.map((each) => each[name]))]);
  return Object.fromEntries(entries) as Record<keyof Throughput, Interval>;
}

function perGpuOf(
  { outputTokensPerSecond, inputTokensPerSecond }: Readonly<Record<keyof PerGpu, Interval>>,
  gpus: number,
): Readonly<Record<keyof PerGpu, Interval>> {
  const each = ({ mean, low, high }: Interval): Interval => ({
    mean: mean / gpus,
    ...{ low: low === null ? null : low / gpus, high: high === null ? null : high / gpus },
  });
  return {
    outputTokensPerSecond: each(outputTokensPerSecond),
    inputTokensPerSecond: each(inputTokensPerSecond),
  };
}

function latencyOver(repeats: readonly MeasuredRepeat[]): OverallFigures["latency"] {
  const pooled = latencyFigures(
    Object.fromEntries(
      latencyNames.map((name) => [name, repeats.flatMap(({ samples }) => [...samples[name]])]),
    ) as unknown as Samples,
  );
  const entries = latencyNames.map((name) => {
    const own = repeats.map(({ figures }) => figures.latency[name]).filter((each) => each !== null);
    const together = pooled[name];
    return [name, together && { ...together, overRepeats: intervalsOf(own) }];
  });
  return Object.fromEntries(entries) as unknown as OverallFigures["latency"];
}

function intervalsOf(own: readonly Distribution[]): PooledDistribution["overRepeats"] {
  const entries = distributionFigures.map((name) => [name, interval(own.map((each) => each[name]))]);
  return Object.fromEntries(entries) as PooledDistribution["overRepeats"];
}
