// Several engines in one process, as of a service that chats and embeds: what all of them
// together generate beside what one does alone. Both in the same process, in turns of
// half a second: the ratio of neighbouring turns hears little of the machine's other users.
import path from "node:path";
import { barText } from "./bars.mjs";
import { runEngine } from "./child.mjs";
import { ensureModel } from "./make-model.mjs";
import { places } from "./places.mjs";
import { number, table } from "./report.mjs";
import { runRounds } from "./rounds.mjs";
import { median } from "./statistics.mjs";

const kEngines = [2, 3];
const kSequences = 2; // of each engine
const kPhases = 8; // of each kind in a process
const kMilliseconds = 500;
const kBar = 0.9;

export const title = "Several engines";

export async function measure(options) {
  const program = path.join(places.engines, "several-engines.mjs");
  const rows = [];
  for (const engines of kEngines) {
    const task = {
      model: ensureModel("small"),
      threads: options.threads,
      engines,
      sequences: kSequences,
      phases: kPhases,
      milliseconds: kMilliseconds,
      engine: options.engine,
    };
    const contender = {
      name: `${engines} engines`,
      measure: async () => judged(await runEngine(program, task)),
    };
    rows.push({ engines, ...(await runRounds([contender], options)) });
  }
  return { rows };
}

function judged({ one, all }) {
  return {
    one: median(one),
    tokensPerSecond: median(all),
    ratio: median(all.map((speed, i) => speed / one[i])),
  };
}

const pick = ({ engines, results }, name) =>
  median(results.map((round) => round[`${engines} engines`][name]));

const barOf = (row) => ({
  what: `${row.engines} engines together / one alone`,
  value: pick(row, "ratio"),
  atLeast: kBar,
});

export const bars = ({ rows }) => rows.map(barOf);

export function report({ rows }) {
  const body = rows.map((row) => [
    String(row.engines),
    number(pick(row, "one")),
    number(pick(row, "tokensPerSecond")),
    number(pick(row, "ratio"), 2),
    barText(barOf(row)),
  ]);
  return [
    `${kSequences} requests on each engine; ${kPhases} turns of each kind in each of ${rows[0].results.length} processes; medians.`,
    table(["engines", "one alone, tokens/s", "all together, tokens/s", "ratio", "bar"], body),
  ];
}
