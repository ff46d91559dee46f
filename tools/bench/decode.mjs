// Decode throughput beside llama-batched-bench, the ceiling of this model on
// this machine. Its tokens/s count decode calls only; ours are counted from
// the moment all sequences decode until the first one ends, by the arrival of
// tokens in JavaScript: sampling, text and the wake-ups of Node included. Every
// process repeats its run, more often the shorter it is, and gives the median.
import path from "node:path";
import { barText } from "./bars.mjs";
import { runEngine } from "./child.mjs";
import { BenchFailure } from "./failure.mjs";
import { ensureModel } from "./make-model.mjs";
import { places } from "./places.mjs";
import { referenceVariants, runReference } from "./reference.mjs";
import { number, table } from "./report.mjs";
import { medianOf, medianRatio, runRounds } from "./rounds.mjs";
import { median, sum } from "./statistics.mjs";

const kOurs = "infernode";
const kBar = 0.95;
const kPromptTokens = 16;
const kNewTokens = 128;
const kContextLength = 256;
const kTokensPerProcess = 2048; // a second or more of decoding

export const title = "Decode";

export async function measure(options) {
  const variants = await referenceVariants();
  const rows = [];
  for (const sequences of options.sequences) rows.push(await measureCount(sequences, variants, options));
  return { rows };
}

function taskOf(sequences, { threads, engine }) {
  return {
    model: ensureModel("small"),
    threads,
    sequences,
    contextLength: kContextLength,
    promptTokens: kPromptTokens,
    newTokens: kNewTokens,
    repeats: Math.max(1, Math.round(kTokensPerProcess / (sequences * kNewTokens))),
    engine,
  };
}

// infernode of the checkout whose folder of engines this is: a contender of rounds.mjs.
export function decodeContender(sequences, options, name = kOurs, engines = places.engines) {
  const file = path.join(engines, "infernode.mjs");
  const task = taskOf(sequences, options);
  return { name, measure: async () => judged(await runEngine(file, task), sequences) };
}

async function measureCount(sequences, variants, options) {
  const task = taskOf(sequences, options);
  const contenders = [
    decodeContender(sequences, options),
    ...variants.map((variant) => ({
      name: variant.name,
      measure: async () => ({ decode: median(await runReference(variant, task)) }),
    })),
  ];
  const { results, busiest } = await runRounds(contenders, options);
  return { sequences, busiest, results, variants: variants.map(({ name }) => name) };
}

function judged({ runs }, sequences) {
  const wrong = runs.find((run) => sum(run.generatedTokens) !== sequences * kNewTokens);
  if (wrong) throw new BenchFailure(`infernode generated ${wrong.generatedTokens} tokens.`);
  return { decode: median(runs.map((run) => run.steady.tokensPerSecond)), spent: runs.at(-1).spent };
}

export const tokensPerSecond = (figure) => figure.decode;

function bestVariant({ results, variants }) {
  const speed = (name) => medianOf(results, name, tokensPerSecond);
  return variants.reduce((left, right) => (speed(right) > speed(left) ? right : left));
}

function barOf(row) {
  const value = medianRatio(row.results, kOurs, bestVariant(row), tokensPerSecond);
  return { what: `sequences ${row.sequences}: infernode / llama-batched-bench`, value, atLeast: kBar };
}

export const bars = ({ rows }) => rows.map(barOf);

export function report({ rows }) {
  const head = [
    "sequences",
    "infernode, tokens/s",
    "llama-batched-bench, tokens/s",
    "its best variant",
    "ratio",
    "bar",
  ];
  const body = rows.map((row) => {
    const best = bestVariant(row);
    const bar = barOf(row);
    return [
      String(row.sequences),
      number(medianOf(row.results, kOurs, tokensPerSecond)),
      number(medianOf(row.results, best, tokensPerSecond)),
      best,
      number(bar.value, 3),
      barText(bar),
    ];
  });
  const variants = rows[0].variants;
  const all = rows.map((row) => [
    String(row.sequences),
    ...variants.map((name) => number(medianOf(row.results, name, tokensPerSecond))),
  ]);
  return [
    `${kPromptTokens} prompt + ${kNewTokens} new tokens per sequence, greedy; medians of ${rows[0].results.length} alternated rounds.`,
    table(head, body),
    "llama-batched-bench in all its variants, tokens/s:",
    table(["sequences", ...variants], all),
  ];
}
