// Whole requests beside node-llama-cpp: N prompts of 64 tokens handed over at
// once, 32 tokens generated for each, every request with a sequence of its
// own. Tokens/s are all generated tokens over the wall clock, prefill included.
import path from "node:path";
import { barText } from "./bars.mjs";
import { runEngine } from "./child.mjs";
import { BenchFailure } from "./failure.mjs";
import { ensureModel } from "./make-model.mjs";
import { ensurePeers, peerVersions } from "./peers/packages.mjs";
import { places } from "./places.mjs";
import { number, table } from "./report.mjs";
import { medianOf, medianRatio, runRounds } from "./rounds.mjs";
import { percentile, sum } from "./statistics.mjs";

const kOurs = "infernode";
const kPeer = `node-llama-cpp ${peerVersions["node-llama-cpp"]}`;
const kPromptTokens = 64;
const kNewTokens = 32;
const kContextLength = 256;
const leastRatios = { 1: 1.5, 8: 2, 32: 1.7 };

export const title = "End to end";

export async function measure(options) {
  await ensurePeers();
  const rows = [];
  for (const sequences of options.sequences) rows.push(await measureCount(sequences, options));
  return { rows };
}

async function measureCount(sequences, options) {
  const task = {
    model: ensureModel("small"),
    threads: options.threads,
    sequences,
    contextLength: kContextLength,
    promptTokens: kPromptTokens,
    newTokens: kNewTokens,
    engine: options.engine,
  };
  const engine = (name, file) => ({
    name,
    measure: async () => judged(name, await runEngine(path.join(places.engines, file), task)),
  });
  const contenders = [engine(kOurs, "infernode.mjs"), engine(kPeer, "node-llama-cpp.mjs")];
  return { sequences, ...(await runRounds(contenders, options)) };
}

// Both must have done the same work, or their figures mean nothing.
function judged(name, { runs: [result] }) {
  const wrong =
    result.promptTokens.some((count) => count !== kPromptTokens) ||
    result.generatedTokens.some((count) => count !== kNewTokens);
  if (wrong) {
    throw new BenchFailure(
      `${name} did other work: prompts of ${result.promptTokens} tokens, ${result.generatedTokens} generated.`,
    );
  }
  const { wall, firstTokens, gaps, spent } = result;
  return {
    tokensPerSecond: (sum(result.generatedTokens) * 1000) / wall,
    firstToken: percentile(firstTokens, 50),
    slowestFirstToken: percentile(firstTokens, 99),
    gap: percentile(gaps, 50),
    longGap: percentile(gaps, 99),
    wall,
    spent,
  };
}

const throughput = (figure) => figure.tokensPerSecond;

const hasBar = ({ sequences }) => leastRatios[sequences] !== undefined;

function barOf({ sequences, results }) {
  const value = medianRatio(results, kOurs, kPeer, throughput);
  return { what: `sequences ${sequences}: ${kOurs} / ${kPeer}`, value, atLeast: leastRatios[sequences] };
}

export const bars = ({ rows }) => rows.filter(hasBar).map(barOf);

export function report({ rows }) {
  const head = ["sequences", kOurs, kPeer, "ratio", "bar"];
  const body = rows.map((row) => [
    String(row.sequences),
    number(medianOf(row.results, kOurs, throughput)),
    number(medianOf(row.results, kPeer, throughput)),
    number(barOf(row).value, 2),
    hasBar(row) ? barText(barOf(row)) : "-",
  ]);
  const latencies = rows.flatMap(({ sequences, results }) =>
    [kOurs, kPeer].map((name) => [
      String(sequences),
      name,
      ...["firstToken", "slowestFirstToken", "gap", "longGap"].map((field) =>
        number(medianOf(results, name, (figure) => figure[field])),
      ),
    ]),
  );
  return [
    `${kPromptTokens} prompt + ${kNewTokens} new tokens, all requests at once; generated tokens/s, prefill included; medians of ${rows[0].results.length} alternated rounds.`,
    table(head, body),
    "Time to the first token and between tokens, ms:",
    table(
      ["sequences", "engine", "first token p50", "first token p99", "between p50", "between p99"],
      latencies,
    ),
  ];
}
