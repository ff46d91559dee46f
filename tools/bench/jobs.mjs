// The job loop: jobs whose handler waits 10 ms, against the emulated platform in
// another process, one slot and eight. The bar comes from the machine itself: the
// time of a handler and of one take, measured in the same round.
import { spawn } from "node:child_process";
import http from "node:http";
import path from "node:path";
import { createPlatform } from "../platform-emulator/index.mjs";
import { barText } from "./bars.mjs";
import { root } from "./places.mjs";
import { number, table } from "./report.mjs";

const kHandlerMs = 10;
const kJobsPerSlot = 150;
const kProbes = 60;
const kSlots = [1, 8];
const kShare = 0.8;

export const title = "Jobs";

export async function measure({ rounds }) {
  const rows = [];
  for (const slots of kSlots) {
    const results = [];
    for (let round = 0; round < rounds; round += 1) results.push(await measureOnce(slots));
    rows.push({ slots, results });
  }
  return { rows };
}

async function measureOnce(slots) {
  const platform = await createPlatform({ holdMs: 20_000, pingIntervalMs: 1000 });
  const takeMs = await roundTrip(platform);
  const child = startWorker(platform, slots);
  const exited = new Promise((resolve) =>
    child.on("exit", (code) => resolve({ code, at: performance.now() })),
  );
  await finish(platform, slots, 10, "warm");
  await finish(platform, slots, kJobsPerSlot, "job");
  const calls = platform.trace.filter((call) => call.parameters.jobId?.startsWith("job-"));
  const first = Math.min(
    ...platform.book.all.filter((job) => job.id.startsWith("job-")).map((job) => job.enqueuedAt),
  );
  const last = Math.max(...calls.map((call) => call.answeredAt));
  await platform.nextChange(300); // idle, both polls held
  const told = performance.now();
  child.kill("SIGTERM");
  const { code, at } = await exited;
  await platform.close();
  return { takeMs, jobsPerSecond: ((slots * kJobsPerSlot) / (last - first)) * 1000, exitMs: at - told, code };
}

function startWorker(platform, slots) {
  const file = path.join(root, "test/serverless/workers/worker.mjs");
  const env = {
    PATH: process.env.PATH,
    TEST_SLOTS: String(slots),
    RUNPOD_LOG_LEVEL: "ERROR",
    ...platform.env(),
  };
  return spawn(process.execPath, [file], { env, stdio: "ignore" });
}

async function finish(platform, slots, perSlot, name) {
  const wanted = platform.book.ended + slots * perSlot;
  for (let index = 0; index < slots * perSlot; index += 1) {
    const id = platform.enqueue({ id: `${name}-${index}`, input: { sleepMs: kHandlerMs } });
    platform.job(id).enqueuedAt = performance.now();
  }
  await platform.until(() => platform.book.ended === wanted, "all jobs are done", 120_000);
}

// Of a take that brings a job, from a client without a worker's work.
async function roundTrip(platform) {
  const agent = new http.Agent({ keepAlive: true });
  const times = [];
  for (let index = 0; index < kProbes; index += 1) {
    platform.enqueue({ id: `probe-${index}`, input: {} });
    const url = `${platform.url}/v2/ep/job-take/probe?job_in_progress=0`;
    const at = performance.now();
    await get(url, agent);
    times.push(performance.now() - at);
  }
  agent.destroy();
  for (const job of platform.book.all) job.done.push({});
  for (const job of platform.book.all) job.status = "COMPLETED";
  times.sort((one, other) => one - other);
  return times[Math.floor(times.length / 2)];
}

function get(url, agent) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent, headers: { Authorization: "secret-key" } }, (response) => {
      response.resume();
      response.on("end", resolve);
    });
    request.on("error", reject);
  });
}

const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];

function barOf({ slots, results }) {
  const share = ({ jobsPerSecond, takeMs }) => jobsPerSecond / ((slots * 1000) / (kHandlerMs + takeMs));
  return { what: `slots ${slots}: jobs/s / the ideal`, value: median(results.map(share)), atLeast: kShare };
}

export const bars = ({ rows }) => rows.map(barOf);

export function report({ rows }) {
  const head = ["slots", "jobs/s", "a take, ms", "of the ideal", "bar", "idle SIGTERM to exit, ms"];
  const body = rows.map((row) => {
    const { slots, results } = row;
    const bar = barOf(row);
    return [
      String(slots),
      number(median(results.map((result) => result.jobsPerSecond))),
      number(median(results.map((result) => result.takeMs)), 2),
      number(bar.value, 2),
      barText(bar),
      number(median(results.map((result) => result.exitMs)), 0),
    ];
  });
  return [
    `Handlers of ${kHandlerMs} ms; medians of ${rows[0].results.length} rounds. The ideal: one job per slot in the time of a handler and a take.`,
    "The Python worker on the same work: 1.04 jobs/s with one slot, 7.9 with eight; 12.7 s from SIGTERM to exit when idle.",
    table(head, body),
  ];
}
