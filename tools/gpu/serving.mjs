// Serving beside llama-server: both answer the same clients over HTTP, from the same file, and take
// turns. The clients are `infernode bench --url`, which asks each by OpenAI's /v1/completions.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { median } from "../bench/statistics.mjs";
import { deviceFlags, programIn } from "./batched-bench.mjs";
import { ensureModelFile } from "./model-file.mjs";

const kBar = 1.3; // times llama-server's tokens/s, of its faster layout
const kRounds = 2;
const kReadyMs = 120_000;
// A word of a prompt is up to six tokens of this small tokenizer.
const kTokens = { prompt: 32, output: 64, context: 512 };
const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** A server as { name, start(port): [program, args] }. */
function serversFor(file, slots, { device, reference }) {
  const ours = (port) => [
    process.execPath,
    [command, "serve", file, "--port", String(port), "--device", device, "--no-playground"].concat(
      ["--slots", String(slots), "--context-length", String(kTokens.context)],
      ["--served-model-name", "model"],
    ),
  ];
  const program = programIn(reference, "llama-server");
  const theirs = (layout) => (port) => [
    program,
    ["-m", file, "--host", "127.0.0.1", "--port", String(port), "--alias", "model", layout].concat(
      ["-np", String(slots), "-c", String(kTokens.context * slots)],
      deviceFlags(device),
    ),
  ];
  const peers = program === null ? [] : ["--no-kv-unified", "--kv-unified"];
  return [
    { name: "infernode", start: ours },
    ...peers.map((layout) => ({ name: `llama-server ${layout}`, start: theirs(layout) })),
  ];
}

/** Runs a server for as long as `work(port)` takes. */
async function whileServing({ name, start }, work) {
  const port = await freePort();
  const [program, args] = start(port);
  const server = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [server.stdout, server.stderr]) {
    stream.on("data", (text) => {
      said = (said + text).slice(-2000);
    });
  }
  const ended = once(server, "exit");
  const kill = () => server.kill("SIGKILL");
  process.once("exit", kill);
  try {
    const failed = ended.then(([code]) => {
      throw new Error(`${name} ended with ${code}: ${said}`);
    });
    return await Promise.race([failed, ready(port, name).then(() => work(port))]);
  } finally {
    server.kill("SIGTERM");
    await Promise.race([ended.catch(() => {}), delay(10_000)]);
    kill();
    process.off("exit", kill);
  }
}

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function ready(port, name) {
  for (const deadline = performance.now() + kReadyMs; performance.now() < deadline; await delay(100)) {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error(`${name} was not ready after ${kReadyMs / 1000} s`);
}

/** Tokens/s by clients at once. */
async function ask(port, clients, requests) {
  const folder = mkdtempSync(path.join(tmpdir(), "infernode-serving-"));
  const json = path.join(folder, "result.json");
  const lengths = ["--prompt-tokens", String(kTokens.prompt), "--output-tokens", String(kTokens.output)];
  const load = ["--concurrency", clients.join(","), "--requests", String(requests), "--repeats", "1"];
  const quick = ["--no-physics", "--no-calibrate", "--json", json];
  const address = `http://127.0.0.1:${port}/v1`;
  const args = [command, "bench", "model", "--url", address, "--api", "completions", ...lengths, ...load];
  try {
    const child = spawn(process.execPath, [...args, ...quick], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (text) => {
      said = (said + text).slice(-2000);
    });
    const [code] = await once(child, "close");
    if (code !== 0) throw new Error(`infernode bench ended with ${code}: ${said}`);
    const { points } = JSON.parse(readFileSync(json, "utf8"));
    return Object.fromEntries(
      clients.map((count, index) => [count, points[index].overall.throughput.outputTokensPerSecond.mean]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runRounds(file, clients, options) {
  const servers = serversFor(file, Math.max(...clients), options);
  if (servers.length === 1)
    options.say("beside nothing: --reference names no folder of llama.cpp's programs");
  const rounds = [];
  for (let round = 0; round < (options.small ? 1 : kRounds) && options.hasTime(); round += 1) {
    const figures = {};
    for (const server of servers) {
      if (!options.hasTime()) break;
      const requests = Math.max(...clients) * (options.small ? 1 : 4);
      figures[server.name] = await whileServing(server, (port) => ask(port, clients, requests));
      options.say(`${server.name}: ${JSON.stringify(figures[server.name])}`);
    }
    if ("infernode" in figures) rounds.push(figures);
  }
  return rounds;
}

function rowOf(clients, rounds) {
  const peers = (figures) =>
    Object.entries(figures)
      .filter(([name]) => name !== "infernode")
      .map(([, speeds]) => speeds[clients]);
  const compared = rounds.filter((figures) => peers(figures).length > 0);
  const best = compared.map((figures) => Math.max(...peers(figures)));
  const ratios = compared.map((figures, index) => figures.infernode[clients] / best[index]);
  return {
    clients,
    tokensPerSecond: median(rounds.map(({ infernode }) => infernode[clients])),
    theirs: best.length === 0 ? null : median(best),
    ratio: ratios.length === 0 ? null : median(ratios),
  };
}

export async function check(options) {
  const { small } = options;
  const file = ensureModelFile(small ? "small" : "large");
  const clients = small ? [2, 4] : [16, 32, 64];
  const rounds = await runRounds(file, clients, options);
  const rows = clients.map((count) => rowOf(count, rounds));
  const compared = rows.filter(({ ratio }) => ratio !== null);
  const bars = compared.map(({ clients: count, ratio }) => ({
    what: `${count} clients: infernode / llama-server`,
    value: ratio,
    atLeast: kBar,
  }));
  // A dry run's speed is no figure.
  return { result: { model: file, rows, rounds }, bars: small ? [] : bars };
}
