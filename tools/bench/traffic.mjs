// Whole requests under traffic: infernode in this process beside llama-server
// over HTTP and node-llama-cpp, every engine in a fresh process, the same
// requests at the same moments, alternated. Tokens/s are all generated tokens over
// the time from the first request to the last token.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { barText } from "./bars.mjs";
import { runEngine } from "./child.mjs";
import { ensureModel } from "./make-model.mjs";
import { ensurePeers, peerVersions } from "./peers/packages.mjs";
import { places } from "./places.mjs";
import { referenceFolder } from "./reference-programs.mjs";
import { number, table } from "./report.mjs";
import { medianOf, medianRatio, runRounds } from "./rounds.mjs";
import { burst, halfIdle, longPrompt, sharedPrefix } from "./scenarios.mjs";
import { percentile } from "./statistics.mjs";

const kOurs = "infernode";
const kNode = `node-llama-cpp ${peerVersions["node-llama-cpp"]}`;
const kServer = "llama-server";
const kUnified = "llama-server, KV unified";

// `server`, `node`: tokens/s of ours over theirs, at least. `gap`: our longest
// gaps over theirs, at most.
const plans = [
  { scenario: burst(1), server: 1 },
  { scenario: burst(8), server: 1, node: 2 },
  { scenario: burst(32), server: 1.12, node: 1.7 },
  { scenario: halfIdle(), server: 1.5, node: 2.5 },
  { scenario: sharedPrefix(4), server: 2 },
  { scenario: sharedPrefix(16), server: 2 },
  { scenario: longPrompt(), server: 0.95, gap: 0.25 },
];

export const title = "Traffic";

export async function measure(options) {
  await ensurePeers();
  const program = await serverProgram();
  const rows = [];
  for (const plan of plans) rows.push({ ...plan, ...(await measurePlan(plan, program, options)) });
  return { rows };
}

async function serverProgram() {
  return path.join(await referenceFolder(["llama-server"]), "llama-server");
}

// One engine under one scenario: a contender of rounds.mjs. `engines` may be another checkout's.
export function contenderOf(scenario, options, engines = places.engines) {
  const { engine, threads } = options;
  const task = { ...scenario, model: ensureModel("small"), threads, engine };
  return (name, file, more = {}) => ({
    name,
    measure: async () => judged(await runEngine(path.join(engines, file), written({ ...task, ...more }))),
  });
}

async function measurePlan({ scenario, node }, program, options) {
  const of = contenderOf(scenario, options);
  const contender = (name, file, flags = []) => of(name, file, { program, flags });
  const contenders = [
    contender(kOurs, "traffic-infernode.mjs"),
    contender(kServer, "traffic-llama-server.mjs", ["--no-kv-unified"]),
    contender(kUnified, "traffic-llama-server.mjs", ["--kv-unified"]),
  ];
  if (node !== undefined) contenders.push(contender(kNode, "traffic-node-llama-cpp.mjs"));
  return runRounds(contenders, options);
}

// Prompts of thousands of tokens do not fit on a command line.
function written(task) {
  mkdirSync(places.models, { recursive: true });
  const file = path.join(places.models, "traffic-task.json");
  writeFileSync(file, JSON.stringify(task));
  return file;
}

function judged({ done, ...rest }) {
  const all = done.flat();
  const begin = Math.min(...all.map(({ submitted }) => submitted));
  const end = Math.max(...all.map(({ arrivals }) => arrivals.at(-1)));
  const generated = all.reduce((sum, { arrivals }) => sum + arrivals.length, 0);
  const last = done.at(-1).at(-1);
  const reading = done
    .slice(0, -1)
    .flat()
    .flatMap((each) => gapsWithin(each, last));
  return {
    tokensPerSecond: (generated * 1000) / (end - begin),
    generated,
    promptTokens: all.reduce((sum, { promptTokens }) => sum + promptTokens, 0),
    firstToken: percentile(
      all.map(({ submitted, arrivals }) => arrivals[0] - submitted),
      50,
    ),
    longGap: reading.length === 0 ? 0 : percentile(reading, 99),
    ...rest,
  };
}

// Gaps between a request's tokens while the last lane's prompt is read.
function gapsWithin({ arrivals }, { submitted, arrivals: [first] }) {
  return arrivals
    .slice(1)
    .map((time, index) => [arrivals[index], time])
    .filter(([from, to]) => to > submitted && from < first)
    .map(([from, to]) => to - from);
}

export const throughput = (figure) => figure.tokensPerSecond;
const longGap = (figure) => figure.longGap;

// The faster of llama-server's two layouts is the one that counts.
function bestServer({ results: rounds }) {
  return [kServer, kUnified].reduce((best, name) =>
    medianOf(rounds, name, throughput) > medianOf(rounds, best, throughput) ? name : best,
  );
}

function barBeside(row, peer, atLeast) {
  const value = medianRatio(row.results, kOurs, peer, throughput);
  return { what: `${row.scenario.name}: ${kOurs} / ${peer}, tokens/s`, value, atLeast };
}

const serverBar = (row) => barBeside(row, bestServer(row), row.server);
const nodeBar = (row) => (row.node === undefined ? undefined : barBeside(row, kNode, row.node));

function gapBar(row, peer) {
  if (row.gap === undefined) return undefined;
  const value = medianRatio(row.results, kOurs, peer, longGap);
  return { what: `${row.scenario.name}: ${kOurs} / ${peer}, gap p99`, value, atMost: row.gap };
}

export function bars({ rows }) {
  const all = rows.flatMap((row) => [
    serverBar(row),
    nodeBar(row),
    gapBar(row, kServer),
    gapBar(row, kUnified),
  ]);
  return all.filter((bar) => bar !== undefined);
}

const ratioAndBar = (bar) => (bar === undefined ? ["-", "-"] : [number(bar.value, 2), barText(bar)]);

function figuresOf(row) {
  const rounds = row.results;
  return [
    row.scenario.name,
    number(medianOf(rounds, kOurs, throughput)),
    number(medianOf(rounds, kServer, throughput)),
    number(medianOf(rounds, kUnified, throughput)),
    row.node === undefined ? "-" : number(medianOf(rounds, kNode, throughput)),
    ...ratioAndBar(serverBar(row)),
    ...ratioAndBar(nodeBar(row)),
  ];
}

export function report({ rows }) {
  const head = ["traffic", kOurs, kServer, "with KV unified", kNode, "ours / the better server", "bar"];
  const [reading] = rows.filter((row) => row.gap !== undefined);
  const gaps = [kOurs, kServer, kUnified].map((name) => [
    name,
    number(medianOf(reading.results, name, longGap)),
    ...ratioAndBar(name === kOurs ? undefined : gapBar(reading, name)),
  ]);
  const counts = rows.map(({ scenario, results: rounds }) => [
    scenario.name,
    String(rounds[0][kOurs].promptTokens),
    String(rounds[0][kOurs].promptTokensComputed),
    number(rounds[0][kOurs].rowsPerStep, 2),
    number(rounds[0][kOurs].passesPerStep, 2),
  ]);
  return [
    `Generated tokens/s, prefill included; medians of ${rows[0].results.length} alternated rounds; llama-server with its default options but for slots and context.`,
    table([...head, "ours / node-llama-cpp", "bar"], rows.map(figuresOf)),
    `${reading.scenario.name}: gaps between the tokens of those that run while it is read, p99, ms:`,
    table(["engine", "gap", "ours / theirs", "bar"], gaps),
    "What infernode computed:",
    table(["traffic", "prompt tokens", "computed", "rows per step", "passes per step"], counts),
  ];
}
