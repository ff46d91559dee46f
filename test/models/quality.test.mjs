// The statistics of tools/checkpoints/quality.mjs, against figures worked out by hand.
import { expect, test } from "vitest";
import { distance, meanLoss, pairedDifference, verdict } from "../../tools/checkpoints/quality.mjs";

const windows = Array.from({ length: 30 }, (_, index) => [index + 1, index + 1]);
const zeros = windows.map(() => [0, 0]);

test("the paired interval is Student's of the windows' means", () => {
  // 97.5 % of Student's t with 29 degrees of freedom lie below 2.04523; the standard error is 1.60728.
  const { mean, low, high } = pairedDifference(windows, zeros);
  expect(mean).toBeCloseTo(15.5, 10);
  expect(low).toBeCloseTo(12.21276, 2);
  expect(high).toBeCloseTo(18.78724, 2);
});

test("what both files lose alike does not widen it", () => {
  const harder = windows.map((window) => window.map((loss) => loss + 0.25));
  const { mean, low, high } = pairedDifference(harder, windows);
  expect([mean, low, high].map((number) => number.toFixed(9))).toEqual(Array(3).fill("0.250000000"));
});

test("few windows, or others, are no base for an interval", () => {
  expect(() => pairedDifference(windows.slice(1), zeros.slice(1))).toThrow("30 or more");
  expect(() => pairedDifference(windows, zeros.slice(1))).toThrow("30 or more");
});

test("means weigh tokens alike, and distance has no sign", () => {
  expect(meanLoss([[1, 2, 3], [10]])).toBe(4);
  expect(distance([[1, -1], [1]], [[0, 0], [0]])).toBe(1);
});

test("intervals that touch are no difference", () => {
  expect(verdict({ low: -2, high: -1 }, { low: 0, high: 1 })).toBe("a lower loss");
  expect(verdict({ low: 2, high: 3 }, { low: 0, high: 1 })).toBe("a higher loss");
  expect(verdict({ low: 0.5, high: 3 }, { low: 0, high: 1 })).toBe("no difference");
});
