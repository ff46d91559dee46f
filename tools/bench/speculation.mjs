// Guessing ahead beside not doing so: tokens/s of the same requests, alternated,
// each in a fresh process, on text that repeats itself, on text that cannot be
// guessed, and with a draft model that agrees or never does.
import path from "node:path";
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

// What is said, by whom, and the least it must gain, or the most passes a token may take.
const kCases = [
  { text: "repeats itself", model: "small", repetitive: true, bar: ">= 1.3" },
  { text: "repeats itself with slips", model: "small", repetitive: true, slips: true, bar: ">= 0.97" },
  { text: "cannot be guessed", model: "small", repetitive: false, bar: ">= 0.97" },
  {
    text: "a draft model agrees, 3 tokens a pass",
    model: "deep",
    draft: "shallow",
    draftTokens: 3,
    repetitive: false,
    bar: "<= 0.5 passes a token",
  },
  { text: "a draft model agrees", model: "deep", draft: "shallow", repetitive: false, bar: ">= 0.97" },
  { text: "a draft model is wrong", model: "small", draft: "stranger", repetitive: false, bar: ">= 0.97" },
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
  const body = rows.map(({ sequences, text, bar, results }) => [
    text,
    String(sequences),
    number(medianOf(results, kOn, throughput)),
    number(medianOf(results, kOff, throughput)),
    number(medianRatio(results, kOn, kOff, throughput), 2),
    bar,
    ...["draftedTokens", "acceptedTokens", "decodePasses", "draftPasses"].map((field) =>
      number(
        medianOf(results, kOn, (figure) => figure[field]),
        0,
      ),
    ),
  ]);
  return [
    `${kNewTokens} tokens for each request; generated tokens/s; medians of ${rows[0].results.length} alternated rounds.`,
    table(head, body),
  ];
}
