// Streams of /v1/chat/completions beside the same chats asked of the engine in its own process: 32 clients
// at once, each several requests one after another. What it compares is one process with the other on equal
// CPUs: the server is bound to all CPUs but one, the engine in process to the same ones, and the clients of
// the server have the one that is left to themselves. Linux only (taskset).
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { barText } from "./bars.mjs";
import { jsonResults } from "./child.mjs";
import { BenchFailure } from "./failure.mjs";
import { usableCpus } from "./machine.mjs";
import { ensureModel } from "./make-model.mjs";
import { places } from "./places.mjs";
import { number, table } from "./report.mjs";
import { medianOf, medianRatio, runRounds } from "./rounds.mjs";
import { percentile, sum } from "./statistics.mjs";
import { promptText } from "./workload.mjs";

const kEngine = "engine in process";
const kServer = "/v1/chat/completions";
const kClients = 32;
const kRequests = 6; // of each client
const kPromptTokens = 64;
const kNewTokens = 64;
const kLeastRatio = 0.95;

export const title = "HTTP";

export async function measure(options) {
  if (os.platform() !== "linux" || usableCpus() < 2)
    throw new BenchFailure("This needs Linux and two CPUs: the clients get one of their own (taskset).");
  const last = usableCpus() - 1;
  const task = {
    model: ensureModel("small"),
    slots: kClients,
    contextLength: 256,
    threads: last,
    cpus: `0-${last - 1}`,
    lanes: Array.from({ length: kClients }, (_, client) => lane(client)),
  };
  const file = path.join(places.models, "http-task.json");
  mkdirSync(places.models, { recursive: true });
  writeFileSync(file, JSON.stringify(task));
  const contender = (name, program, cpus) => ({
    name,
    measure: async () => judged(name, await measureOn(cpus, program, file)),
  });
  const contenders = [
    contender(kEngine, "http-in-process.mjs", task.cpus),
    contender(kServer, "http-server.mjs", String(last)),
  ];
  return { rows: [await runRounds(contenders, options)] };
}

const lane = (client) =>
  Array.from({ length: kRequests }, (_, turn) => ({
    prompt: promptText(3000 + client * kRequests + turn, kPromptTokens),
    newTokens: kNewTokens,
    pause: 0,
  }));

async function measureOn(cpus, program, file) {
  const command = ["-c", cpus, process.execPath, path.join(places.engines, program), file];
  const [answer] = await jsonResults("taskset", command, { what: program });
  return answer;
}

// Both must have done the same work, or their figures mean nothing.
function judged(name, { done, wall, cpuMs, clientCpuMs = 0 }) {
  const all = done.flat();
  const usages = all.map(({ promptTokens }) => promptTokens);
  const tokens = sum(usages.map(({ completionTokens }) => completionTokens));
  if (tokens !== kClients * kRequests * kNewTokens)
    throw new BenchFailure(`${name} did other work: ${tokens} tokens were generated.`);
  return {
    tokensPerSecond: (tokens * 1000) / wall,
    promptTokens: sum(usages.map(({ promptTokens }) => promptTokens)),
    firstToken: percentile(
      all.map(({ submitted, arrivals }) => arrivals[0] - submitted),
      50,
    ),
    cpuPerToken: (cpuMs * 1000) / tokens,
    clientCpuPerToken: (clientCpuMs * 1000) / tokens,
  };
}

const throughput = (figure) => figure.tokensPerSecond;

const barOf = ({ results }) => ({
  what: `${kClients} clients: ${kServer} / ${kEngine}, tokens/s`,
  value: medianRatio(results, kServer, kEngine, throughput),
  atLeast: kLeastRatio,
});

export const bars = ({ rows }) => rows.map(barOf);

export function report({ rows: [row] }) {
  const figure = (name, field, digits = 1) =>
    number(
      medianOf(row.results, name, (each) => each[field]),
      digits,
    );
  const line = (name) => [
    name,
    figure(name, "tokensPerSecond"),
    figure(name, "firstToken", 0),
    figure(name, "cpuPerToken", 0),
    figure(name, "clientCpuPerToken", 0),
  ];
  const bar = barOf(row);
  return [
    `${kClients} clients at once, ${kRequests} chats each one after another, ${kPromptTokens} words in, ${kNewTokens} tokens out; medians of ${row.results.length} alternated rounds. Engine and server have the same CPUs, the clients another one. tokens/s: ${number(bar.value, 3)} of the engine's (bar ${barText(bar)}).`,
    table(
      ["", "tokens/s", "first token p50, ms", "CPU per token, µs", "the clients', µs"],
      [kEngine, kServer].map(line),
    ),
  ];
}
