// Whether two samples have different means, and how many of many differences are chance. Pure.
// test/bench/significance.test.ts compares every function with values that scipy computed.
import { mean, standardDeviation } from "./statistics.js";
import { studentQuantile, studentTails } from "./student.js";

/** What Welch's test says of two samples. */
export interface MeanDifference {
  /** Mean of the second sample - mean of the first. */
  readonly difference: number;
  /** The 95 % confidence interval of the difference. */
  readonly low: number;
  readonly high: number;
  /** How likely a difference at least as large is where the true means are equal. */
  readonly p: number;
}

/**
 * Welch's t-test: two samples whose variances may differ.
 * @throws RangeError of a sample with fewer than two values
 */
export function welch(first: readonly number[], second: readonly number[]): MeanDifference {
  const difference = mean(second) - mean(first);
  const [left, right] = [first, second].map((values) => standardDeviation(values) ** 2 / values.length);
  const [a, b] = [left ?? Number.NaN, right ?? Number.NaN];
  const error = Math.sqrt(a + b);
  // Without any spread, such as of counts, every difference is a difference.
  if (error === 0) return { difference, low: difference, high: difference, p: difference === 0 ? 1 : 0 };
  const degrees = (a + b) ** 2 / (a ** 2 / (first.length - 1) + b ** 2 / (second.length - 1));
  const margin = studentQuantile(degrees) * error;
  return {
    difference,
    low: difference - margin,
    high: difference + margin,
    p: studentTails(difference / error, degrees),
  };
}

/**
 * P-values that keep the share of false alarms among all alarms below a level, whatever their
 * number (Benjamini and Hochberg, 1995).
 * @returns in the order of `values`
 */
export function adjusted(values: readonly number[]): number[] {
  const order = values.map((value, place) => ({ value, place })).sort((a, b) => b.value - a.value);
  const result = new Array<number>(values.length);
  let least = 1;
  for (const [fromTop, { value, place }] of order.entries()) {
    least = Math.min(least, (value * values.length) / (values.length - fromTop));
    result[place] = least;
  }
  return result;
}
