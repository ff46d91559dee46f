// Guessing ahead beside not doing so: tokens/s of the same requests, alternated,
// each in a fresh process, on text that repeats itself, on text that cannot be
// guessed, and with a draft model that agrees or never does.
import path from "node:path";
import { barText } from "./bars.mjs";
import { runEngine } from "./child.mjs";
import { ensureModel } from "./make-model.mjs";
import { places } from "./places.mjs";
import { number, table } from "./report.mjs";
import { medianOf, medianRatio, runRounds } from "./rounds.mjs";

const kOn = "guessing";
const kOff = "not guessing";
const kNewTokens = 400;
const kCounts = [1, 2, 4];

export const title = "Speculation";

// What is said, by whom, and the least it must gain (`ratio`), or the most passes a token
// of one request may take (`passes`).
const kCases = [
  { text: "repeats itself", model: "small", repetitive: true, ratio: 1.3 },
  { text: "repeats itself with slips", model: "small", repetitive: true, slips: true, ratio: 0.97 },
  { text: "cannot be guessed", model: "small", repetitive: false, ratio: 0.97 },
  {
    text: "a draft model agrees, 3 tokens a pass",
    model: "deep",
    draft: "shallow",
    draftTokens: 3,
    repetitive: false,
    passes: 0.5,
  },
  { text: "a draft model agrees", model: "deep", draft: "shallow", repetitive: false, ratio: 0.97 },
  { text: "a draft model is wrong", model: "small", draft: "stranger", repetitive: false, ratio: 0.97 },
];

export async function measure(options) {
  const rows = [];
  for (const { model, draft, draftTokens, ...kind } of kCases) {
    for (const sequences of kCounts) {
      const contender = (name, speculation) => ({
        name,
        measure: () =>
          runEngine(path.join(places.engines, "speculation.mjs"), {
            model: ensureModel(model),
            draft: draft && ensureModel(draft),
            draftTokens,
            threads: options.threads,
            newTokens: kNewTokens,
            sequences,
            speculation,
            repetitive: kind.repetitive,
            slips: kind.slips,
          }),
      });
      const contenders = [contender(kOn, true), contender(kOff, false)];
      rows.push({ sequences, ...kind, ...(await runRounds(contenders, options)) });
    }
  }
  return { rows };
}

const throughput = (figure) => figure.tokensPerSecond;

const passesPerToken = (figure) => figure.decodePasses / kNewTokens;
const gain = (results) => medianRatio(results, kOn, kOff, throughput);

function barOf({ text, sequences, results, ratio, passes }) {
  const what = `${text}, ${sequences} at once`;
  if (passes === undefined) return { what, value: gain(results), atLeast: ratio };
  return { what, value: medianOf(results, kOn, passesPerToken), atMost: passes, unit: "passes a token" };
}

export const bars = ({ rows }) => rows.map(barOf);

export function report({ rows }) {
  const head = [
    "text",
    "requests",
    kOn,
    kOff,
    "ratio",
    "bar",
    "drafted",
    "came true",
    "passes",
    "draft passes",
  ];
  const body = rows.map((row) => [
    row.text,
    String(row.sequences),
    number(medianOf(row.results, kOn, throughput)),
    number(medianOf(row.results, kOff, throughput)),
    number(gain(row.results), 2),
    barText(barOf(row)),
    ...["draftedTokens", "acceptedTokens", "decodePasses", "draftPasses"].map((field) =>
      number(
        medianOf(row.results, kOn, (figure) => figure[field]),
        0,
      ),
    ),
  ]);
  return [
    `${kNewTokens} tokens for each request; generated tokens/s; medians of ${rows[0].results.length} alternated rounds.`,
    table(head, body),
  ];
}
