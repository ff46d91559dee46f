// Five hundred streams at once from `infernode serve`, half of whose clients leave midway, wave after wave; then
// ten times as many requests as it may queue. What counts is inside the server (engines/loop-monitor.mjs): how
// long its event loop was held, how long a refusal took, and the memory after each wave. The clients are in this
// process, on a CPU of their own where taskset is.
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { barText } from "./bars.mjs";
import { BenchFailure } from "./failure.mjs";
import { usableCpus, waitForQuiet } from "./machine.mjs";
import { places } from "./places.mjs";
import { number, table } from "./report.mjs";
import { startServe } from "./serve-process.mjs";
import { median, percentile } from "./statistics.mjs";

const kStreams = 500;
const kTokens = 64;
const kQueue = 64;
const kSlots = 32;

export const title = "Storm";

export async function measure({ rounds, patience, onFigure }) {
  const busiest = (await waitForQuiet(patience)) || 0;
  const last = usableCpus() - 1;
  const cpus = os.platform() === "linux" && last > 0 ? `0-${last - 1}` : undefined;
  const nodeArgs = ["--import", path.join(places.engines, "loop-monitor.mjs")];
  const start = (queue) =>
    startServe({ args: ["--slots", String(kSlots), "--max-queue", String(queue)], cpus, nodeArgs });
  const waves = await during(await start(kStreams), async (server) => {
    await wave(server); // compiles what the others run
    const figures = [];
    for (let round = 0; round < rounds; round += 1) {
      figures.push(await wave(server));
      onFigure(round, "event loop p99, ms", figures.at(-1).loop.p99);
    }
    return figures;
  });
  const overload = await during(await start(kQueue), overloaded);
  return { rows: [{ waves, overload, busiest }] };
}

async function during(server, work) {
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

async function wave(server) {
  await server.asked("forget");
  const began = performance.now();
  const texts = await Promise.all(
    Array.from({ length: kStreams }, (_, index) => stream(server.port, index, index % 2 === 1)),
  );
  const seconds = (performance.now() - began) / 1000;
  const whole = texts.filter((text, index) => index % 2 === 0 && text.endsWith("data: [DONE]\n\n"));
  if (whole.length !== kStreams / 2)
    throw new BenchFailure(`Only ${whole.length} of ${kStreams / 2} streams were answered whole.`);
  await idle(server.port);
  return { ...(await server.asked("what")), seconds };
}

/** A completion's stream as text; with `leaves`, its client is gone after its first event. */
function stream(port, index, leaves) {
  const body = JSON.stringify({
    prompt: `Once upon a time, number ${index},`,
    max_tokens: leaves ? 400 : kTokens,
    ignore_eos: true,
    stream: true,
  });
  return new Promise((resolve, reject) => {
    const outgoing = request(port, body, (response) => {
      let text = "";
      response.setEncoding("utf8").on("error", (error) => (leaves ? resolve(text) : reject(error)));
      response.on("end", () => resolve(text));
      response.on("data", (part) => {
        text += part;
        if (leaves) outgoing.destroy();
      });
    });
    outgoing.on("error", (error) => (leaves ? resolve("") : reject(error))).end(body);
  });
}

function request(port, body, onResponse) {
  const options = { port, host: "127.0.0.1", path: "/v1/completions", method: "POST", agent: false };
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return http.request({ ...options, headers }, onResponse);
}

/** Once nothing is under way. */
async function idle(port) {
  for (;;) {
    const { requests, engine } = await (await fetch(`http://127.0.0.1:${port}/health`)).json();
    if (requests.under_way + engine.running + engine.waiting === 0) return;
  }
}

async function overloaded(server) {
  const body = JSON.stringify({ prompt: "Once", max_tokens: 200, ignore_eos: true });
  const ask = () =>
    new Promise((resolve, reject) => {
      const outgoing = request(server.port, body, (response) =>
        response.resume().on("end", () => resolve(response.statusCode)),
      );
      outgoing.on("error", reject).end(body);
    });
  await ask();
  await server.asked("forget");
  const statuses = await Promise.all(Array.from({ length: 10 * (kQueue + kSlots) }, ask));
  const { refusals } = await server.asked("what");
  const answered = statuses.filter((status) => status === 200).length;
  if (answered < kQueue + kSlots || answered + refusals.length !== statuses.length)
    throw new BenchFailure(`${answered} were answered and ${refusals.length} refused of ${statuses.length}.`);
  return { answered, refused: refusals.length, p50: percentile(refusals, 50), p99: percentile(refusals, 99) };
}

export function bars({ rows: [{ waves, overload }] }) {
  const p99 = median(waves.map(({ loop }) => loop.p99));
  const growth = waves.at(-1).memoryMb / waves[0].memoryMb;
  return [
    { what: `${kStreams} streams: event loop p99`, value: p99, atMost: 50, unit: "ms" },
    { what: `${kStreams} streams: memory after the last wave / the first`, value: growth, atMost: 1.1 },
    { what: "refusals inside the server, p99", value: overload.p99, atMost: 10, unit: "ms" },
  ];
}

export function report(results) {
  const [{ waves, overload }] = results.rows;
  const line = ({ loop, memoryMb, seconds }, index) => [
    String(index + 1),
    number(loop.p50),
    number(loop.p99),
    number(loop.longest),
    number(memoryMb, 0),
    number(seconds),
  ];
  return [
    `${kStreams} streams at once on ${kSlots} slots of the embedded model, half of the clients leaving after their first event; the event loop's delay, inside the server:`,
    table(["wave", "p50, ms", "p99, ms", "longest, ms", "memory after, MB", "seconds"], waves.map(line)),
    `${10 * (kQueue + kSlots)} requests at once where ${kQueue + kSlots} may be under way: ${overload.answered} answered, ${overload.refused} refused by 429, inside the server ${number(overload.p50, 2)} ms (p50), ${number(overload.p99, 2)} ms (p99).`,
    table(
      ["bar", "", ""],
      bars(results).map((bar) => [bar.what, number(bar.value, 2), barText(bar)]),
    ),
  ];
}
