// Rounds of measurements: every contender once per round, in an order that
// rotates so that nobody always runs first, each after a quiet moment. On a
// shared machine two figures of the same round are comparable and two figures
// of different rounds are not, hence ratios are taken within rounds.
import { waitForQuiet } from "./machine.mjs";
import { median } from "./statistics.mjs";

// `contenders` are { name, measure(round) }. Resolves to one { name: figure } object
// per round, plus the busiest the machine was before a measurement.
export async function runRounds(contenders, { rounds, patience, onFigure = () => {} }) {
  const results = [];
  let busiest = 0;
  for (let round = 0; round < rounds; round += 1) {
    const figures = {};
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const { name, measure } = contenders[(round + turn) % contenders.length];
      busiest = Math.max(busiest, (await waitForQuiet(patience)) || 0);
      figures[name] = await measure(round);
      onFigure(round, name, figures[name]);
    }
    results.push(figures);
  }
  return { results, busiest };
}

// The median over rounds of one contender's figure.
export function medianOf(results, name, pick) {
  return median(results.map((figures) => pick(figures[name])));
}

// The median over rounds of the ratio of two contenders' figures.
export function medianRatio(results, above, below, pickAbove, pickBelow = pickAbove) {
  return median(results.map((figures) => pickAbove(figures[above]) / pickBelow(figures[below])));
}
