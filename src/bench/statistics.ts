// Statistics over measured numbers: percentiles, distributions, and 95 % confidence intervals
// over repeats. Pure; inputs are never changed. test/bench/statistics.test.ts compares every
// function with values that numpy and scipy computed.
import { studentQuantile } from "./student.js";

/** The percentiles that are kept, in percent: AIPerf's, which holds vLLM's and what people ask for, and 99.9. */
const percents = {
  ...{ p1: 1, p5: 5, p10: 10, p25: 25, p50: 50, p75: 75, p90: 90, p95: 95, p99: 99 },
  p999: 99.9,
} as const;

/** A measured quantity: how often it was seen, and how it is spread. */
export interface Distribution extends Readonly<Record<keyof typeof percents, number>> {
  readonly count: number;
  readonly mean: number;
  /** The sample's standard deviation, with n - 1; null of one value. */
  readonly deviation: number | null;
  readonly min: number;
  readonly max: number;
}

/** The figures of a distribution that are intervals over repeats, too. */
export const distributionFigures = ["mean", "p50", "p90", "p99", "p999", "max"] as const;

/** The mean of several repeats' values, and the interval that holds the true mean with 95 % confidence. */
export interface Interval {
  readonly mean: number;
  /** Null with fewer than two values: nothing is known of their spread. */
  readonly low: number | null;
  readonly high: number | null;
}

/** The arithmetic mean. @throws RangeError of no values */
export function mean(values: ArrayLike<number>): number {
  if (values.length === 0) throw new RangeError("a mean of no values");
  let sum = 0;
  for (let at = 0; at < values.length; at += 1) sum += values[at] ?? 0;
  return sum / values.length;
}

/** The sample's standard deviation, with n - 1. @throws RangeError of fewer than two values */
export function standardDeviation(values: ArrayLike<number>): number {
  if (values.length < 2) throw new RangeError("a standard deviation of fewer than two values");
  const centre = mean(values);
  let squares = 0;
  for (let at = 0; at < values.length; at += 1) squares += ((values[at] ?? 0) - centre) ** 2;
  return Math.sqrt(squares / (values.length - 1));
}

/**
 * A percentile, linear between the two values beside it: numpy's default, Excel's
 * PERCENTILE.INC and R's type 7.
 * @param sorted ascending
 * @param percent 0 to 100
 * @throws RangeError of no values
 */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
  if (sorted.length === 0) throw new RangeError("a percentile of no values");
  const place = (percent / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  return low + (high - low) * (place - below);
}

/** @returns null of no values */
export function distribution(values: readonly number[]): Distribution | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const entries = Object.entries(percents).map(([name, percent]) => [name, percentile(sorted, percent)]);
  return {
    count: sorted.length,
    mean: mean(sorted),
    deviation: sorted.length < 2 ? null : standardDeviation(sorted),
    min: sorted[0] ?? Number.NaN,
    ...(Object.fromEntries(entries) as Record<keyof typeof percents, number>),
    max: sorted[sorted.length - 1] ?? Number.NaN,
  };
}

/** The standard deviation with n, as numpy has it; 0 of one value. */
export function populationDeviation({ count, deviation }: Distribution): number {
  return deviation === null ? 0 : deviation * Math.sqrt((count - 1) / count);
}

/** The standard deviation as a share of the mean; null with fewer than two values or a mean of 0. */
export function coefficientOfVariation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const centre = mean(values);
  return centre === 0 ? null : standardDeviation(values) / centre;
}

/** Mean and 95 % interval by Student's t: mean ± t(0.975, n - 1) · s / √n. @throws RangeError of no values */
export function interval(values: readonly number[]): Interval {
  const centre = mean(values);
  if (values.length < 2) return { mean: centre, low: null, high: null };
  const margin = (studentQuantile(values.length - 1) * standardDeviation(values)) / Math.sqrt(values.length);
  return { mean: centre, low: centre - margin, high: centre + margin };
}
