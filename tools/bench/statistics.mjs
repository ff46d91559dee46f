// Small statistics over measured numbers. Sorts copies, changes nothing; an
// empty list is a caller's mistake and throws.

export function percentile(values, percent) {
  if (values.length === 0) throw new RangeError("a percentile of no values");
  const sorted = [...values].sort((left, right) => left - right);
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1];
}

// The mean of the two middle values where their count is even.
export function median(values) {
  if (values.length === 0) throw new RangeError("a median of no values");
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);
