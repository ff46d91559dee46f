// What a benchmark must reach, as data: { what, value, atLeast } or { what, value,
// atMost }, with a `unit` where the value is no ratio. The bar column of a table and
// the verdict at the end are made of the same bar. The value is judged as measured,
// not as its table rounds it.

export const barText = ({ atLeast, atMost, unit }) => {
  const limit = atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast}`;
  return unit === undefined ? limit : `${limit} ${unit}`;
};

// A value that is no number, as of a peer that made nothing, reaches no bar.
const isReached = ({ value, atLeast, atMost }) =>
  atLeast === undefined ? value <= atMost : value >= atLeast;

export const missedBars = (bars) => bars.filter((bar) => !isReached(bar));

// Four digits: 0.968 misses 0.97, and "0.97, bar >= 0.97" would hide it.
const missedText = (bar) => `  ${bar.what}: ${bar.value.toFixed(4)}, bar ${barText(bar)}`;

// For the terminal: every missed bar with its figure, or that there is none.
export function verdict(bars) {
  if (bars.length === 0) return "No figure here has a bar.";
  const missed = missedBars(bars);
  if (missed.length === 0) return `All ${bars.length} bars reached.`;
  return [`${missed.length} of ${bars.length} bars missed:`, ...missed.map(missedText)].join("\n");
}
