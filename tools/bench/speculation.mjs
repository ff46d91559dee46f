// Guessing ahead beside not doing so: tokens/s of the same requests, alternated,
// each in a fresh process, on text that repeats itself and on text that cannot
// be guessed.
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

export async function measure(options) {
  const rows = [];
  for (const repetitive of [true, false]) {
    for (const sequences of kCounts) {
      const contender = (name, speculation) => ({
        name,
        measure: () =>
          runEngine(path.join(places.engines, "speculation.mjs"), {
            model: ensureModel("small"),
            threads: options.threads,
            newTokens: kNewTokens,
            sequences,
            speculation,
            repetitive,
          }),
      });
      const contenders = [contender(kOn, true), contender(kOff, false)];
      rows.push({ sequences, repetitive, ...(await runRounds(contenders, options)) });
    }
  }
  return { rows };
}

const throughput = (figure) => figure.tokensPerSecond;

export function report({ rows }) {
  const head = ["text", "requests", kOn, kOff, "ratio", "bar", "drafted", "came true", "passes"];
  const body = rows.map(({ sequences, repetitive, results }) => [
    repetitive ? "repeats itself" : "cannot be guessed",
    String(sequences),
    number(medianOf(results, kOn, throughput)),
    number(medianOf(results, kOff, throughput)),
    number(medianRatio(results, kOn, kOff, throughput), 2),
    repetitive ? ">= 1.3" : ">= 0.97",
    ...["draftedTokens", "acceptedTokens", "decodePasses"].map((field) =>
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
