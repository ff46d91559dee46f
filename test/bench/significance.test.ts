// Welch's test, Student's distribution and the adjustment for many figures beside scipy's, as
// tools/bench/statistics_reference.py wrote them.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adjusted, welch } from "../../src/bench/significance.js";
import { studentQuantile, studentTails } from "../../src/bench/student.js";

const reference = JSON.parse(readFileSync(new URL("statistics-reference.json", import.meta.url), "utf8"));

interface Pair {
  readonly first: readonly number[];
  readonly second: readonly number[];
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  readonly p: number;
}

interface Tail {
  readonly t: number;
  readonly degrees: number;
  readonly p: number;
  readonly quantile: number;
}

/** Relatively, where it is not near 0. */
function expectClose(actual: number, expected: number): void {
  expect(Math.abs(actual - expected)).toBeLessThan(1e-9 * Math.max(Math.abs(expected), 1e-6));
}

describe("significance is scipy's", () => {
  it.each<Pair>(reference.welch)("Welch's test, p = $p", ({ first, second, ...expected }) => {
    const actual = welch(first, second);
    for (const name of ["difference", "low", "high", "p"] as const) expectClose(actual[name], expected[name]);
  });

  it.each<Tail>(reference.tails)("t = $t of $degrees degrees of freedom", ({ t, degrees, p, quantile }) => {
    expectClose(studentTails(t, degrees), p);
    expectClose(studentQuantile(degrees), quantile);
  });

  it.each<{ readonly values: number[]; readonly adjusted: number[] }>(reference.adjusted)(
    "adjusted $values",
    ({ values, adjusted: expected }) => {
      for (const [index, value] of adjusted(values).entries())
        expectClose(value, expected[index] ?? Number.NaN);
    },
  );

  it("without any spread, equal means are equal and other ones are not", () => {
    expect(welch([5, 5], [5, 5])).toEqual({ difference: 0, low: 0, high: 0, p: 1 });
    expect(welch([5, 5], [6, 6])).toEqual({ difference: 1, low: 1, high: 1, p: 0 });
    expect(() => welch([5], [6, 6])).toThrow(RangeError);
  });
});
