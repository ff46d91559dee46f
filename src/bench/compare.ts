// Two results beside each other: which figures changed at which load, and whether that is more
// than chance. Pure: results in, values out. Repeats are the samples, since requests of one repeat
// depend on each other.
import type { BenchmarkResult } from "./benchmark.js";
import { explainedOf, type Sides, undisturbed } from "./disturbance.js";
import type { Load } from "./load.js";
import { type Metric, metrics } from "./metrics.js";
import type { PointResult } from "./point.js";
import { adjusted, welch } from "./significance.js";
import { mean } from "./statistics.js";

/**
 * The share of alarms that are false. A hundredth: of twenty comparisons of a run with itself, two
 * or more raise an alarm in one case of sixty.
 */
export const falseAlarms = 0.01;

/** One figure at one load. Shares are of the first result's mean: -0.03 is 3 % less. */
export interface Change {
  readonly load: Load;
  readonly metric: Metric;
  /** Means over repeats. */
  readonly before: number;
  readonly after: number;
  readonly repeats: readonly [number, number];
  /** Null where the first mean is 0. */
  readonly change: number | null;
  /** 95 % interval of the change; null with fewer than two repeats on a side. */
  readonly low: number | null;
  readonly high: number | null;
  /** Welch's test, and adjusted for the number of figures; null as above. */
  readonly p: number | null;
  readonly adjustedP: number | null;
  /** What of the change this client's machine explains, in the figure's unit (disturbance.ts). */
  readonly explained: number;
  /** Unknown with fewer than two repeats on a side, and where the machine explains a change. */
  readonly verdict: "better" | "worse" | "same" | "unknown";
}

/** A comparison. */
export interface Comparison {
  readonly changes: readonly Change[];
  /** Loads that were not compared, and why. */
  readonly skipped: readonly { readonly load: Load; readonly reason: string }[];
  /** Repeats that were left out since others disturbed them, by load and side; empty of none. */
  readonly leftOut: readonly { readonly load: Load; readonly repeats: readonly [number, number] }[];
}

/** @param leastChange changes that are smaller are none, however certain: a share, such as 0.01 */
export function compareResults(
  before: BenchmarkResult,
  after: BenchmarkResult,
  leastChange: number,
): Comparison {
  const skipped: { load: Load; reason: string }[] = [];
  const changes: Omit<Change, "adjustedP" | "verdict">[] = [];
  const leftOut: { load: Load; repeats: readonly [number, number] }[] = [];
  const areEndpoints = before.target.type === "endpoint" && after.target.type === "endpoint";
  for (const point of before.points) {
    const other = after.points.find(({ load }) => isSameLoad(load, point.load));
    const reason = skipReason(point, other);
    if (reason !== undefined || other === undefined) {
      skipped.push({ load: point.load, reason: reason ?? "" });
      continue;
    }
    const all: Sides = [point.repeats, other.repeats];
    const { sides, isOneSided } = areEndpoints ? undisturbed(all) : { sides: all, isOneSided: false };
    const missing = [all[0].length - sides[0].length, all[1].length - sides[1].length] as const;
    if (missing[0] + missing[1] > 0) leftOut.push({ load: point.load, repeats: missing });
    const found = metrics.flatMap((metric) => changeOf(metric, point.load, sides, areEndpoints));
    changes.push(...(isOneSided ? found.map(whollyExplained) : found));
  }
  for (const { load } of after.points) {
    if (!before.points.some((point) => isSameLoad(point.load, load)))
      skipped.push({ load, reason: "only the second file has it" });
  }
  return { changes: judged(changes, leastChange), skipped, leftOut };
}

function skipReason(point: PointResult, other: PointResult | undefined): string | undefined {
  if (other === undefined) return "only the first file has it";
  if (!point.isComplete) return "it is partial in the first file";
  return other.isComplete ? undefined : "it is partial in the second file";
}

/** Equal in every field; JSON keeps their order. */
function isSameLoad(left: Load, right: Load): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

/** Nothing where no repeat of a side has the figure. */
function changeOf(
  metric: Metric,
  load: Load,
  sides: Sides,
  areEndpoints: boolean,
): Omit<Change, "adjustedP" | "verdict">[] {
  const [first = [], second = []] = sides.map((repeats) =>
    repeats.map(metric.of).filter((value) => value !== null),
  );
  if (first.length === 0 || second.length === 0) return [];
  const [before, after] = [mean(first), mean(second)];
  const share = (difference: number) => (before === 0 ? null : difference / before);
  const counts = [first.length, second.length] as const;
  const shared = {
    ...{ load, metric, before, after, repeats: counts, change: share(after - before) },
    explained: explainedOf(metric, Math.max(before, after), sides, areEndpoints),
  };
  if (Math.min(...counts) < 2) return [{ ...shared, low: null, high: null, p: null }];
  const { low, high, p } = welch(first, second);
  return [{ ...shared, low: share(low), high: share(high), p }];
}

function whollyExplained<Of extends Pick<Change, "before" | "after">>(change: Of): Of {
  return { ...change, explained: Math.abs(change.after - change.before) };
}

function judged(changes: readonly Omit<Change, "adjustedP" | "verdict">[], leastChange: number): Change[] {
  const tested = changes.filter(({ p }) => p !== null);
  const ps = adjusted(tested.map(({ p }) => p ?? 1));
  return changes.map((each) => {
    const adjustedP = ps[tested.indexOf(each)] ?? null;
    return { ...each, adjustedP, verdict: verdictOf(each, adjustedP, leastChange) };
  });
}

function verdictOf(
  { before, after, change, metric, explained }: Omit<Change, "adjustedP" | "verdict">,
  adjustedP: number | null,
  leastChange: number,
): Change["verdict"] {
  if (adjustedP === null) return "unknown";
  const isSmall = change !== null && Math.abs(change) < leastChange;
  if (adjustedP >= falseAlarms || isSmall || before === after) return "same";
  if (Math.abs(after - before) <= explained) return "unknown";
  return after > before === metric.isHigherBetter ? "better" : "worse";
}
