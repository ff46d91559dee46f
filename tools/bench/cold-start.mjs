// From the start of a process to the first token of a 16-token prompt: loading
// the package, its native code, the model, the context. The file is in the
// page cache for all of them: one start of each goes before the first round.
import path from "node:path";
import { results } from "./child.mjs";
import { ensureModel } from "./make-model.mjs";
import { ensurePeers, peerVersions } from "./peers/packages.mjs";
import { places } from "./places.mjs";
import { number, table } from "./report.mjs";
import { medianOf, medianRatio, runRounds } from "./rounds.mjs";

const kOurs = "infernode";
const kPromptTokens = 16;
const kContextLength = 512;

const engines = {
  [kOurs]: "first-token-infernode.mjs",
  [`node-llama-cpp ${peerVersions["node-llama-cpp"]}`]: "first-token-node-llama-cpp.mjs",
  [`llama.node ${peerVersions["@fugood/llama.node"]}`]: "first-token-llama-node.mjs",
};

const models = [
  { name: "small", description: "60M parameters, 32k vocabulary" },
  { name: "wide", description: "128k vocabulary" },
];

export const title = "Cold start";

export async function measure(options) {
  await ensurePeers();
  const rows = [];
  for (const { name, description } of models) {
    const task = {
      model: ensureModel(name),
      threads: options.threads,
      contextLength: kContextLength,
      promptTokens: kPromptTokens,
    };
    const contenders = Object.entries(engines).map(([engine, file]) => ({
      name: engine,
      measure: () => timeToFirstToken(path.join(places.engines, file), task),
    }));
    for (const contender of contenders) await contender.measure();
    rows.push({ description, ...(await runRounds(contenders, options)) });
  }
  return { rows };
}

async function timeToFirstToken(file, task) {
  const onLine = (line, sinceStart) => (line === "first-token" ? sinceStart : undefined);
  const [time] = await results(process.execPath, [file, JSON.stringify(task)], onLine, { what: file });
  return time;
}

const milliseconds = (figure) => figure;

const names = Object.keys(engines);
const peers = names.filter((name) => name !== kOurs);

// Ahead of both peers: the one bar of every row, said above the table.
function barsOf({ description, results }) {
  return peers.map((peer) => {
    const value = medianRatio(results, peer, kOurs, milliseconds);
    return { what: `${description}: ${peer} / ${kOurs}`, value, atLeast: 1 };
  });
}

export const bars = ({ rows }) => rows.flatMap(barsOf);

export function report({ rows }) {
  const head = [
    "model",
    ...names.map((name) => `${name}, ms`),
    ...peers.map((name) => `${name} / infernode`),
  ];
  const body = rows.map((row) => [
    row.description,
    ...names.map((name) => number(medianOf(row.results, name, milliseconds), 0)),
    ...barsOf(row).map(({ value }) => number(value, 2)),
  ]);
  return [
    `Process start to first token, file in the page cache; medians of ${rows[0].results.length} alternated rounds. The bar: ahead of both.`,
    table(head, body),
  ];
}
