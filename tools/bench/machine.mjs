// The machine a figure was measured on: what it is, how many CPUs may be used,
// and how busy others keep it. Reads Linux's /proc where it exists; elsewhere
// the load is not known and nothing is waited for.
import { readFileSync } from "node:fs";
import os from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

const kQuiet = 0.1; // share of all CPUs others may use
const kGlance = 300; // ms of looking at the counters

export const usableCpus = () => os.availableParallelism();

export function describeMachine() {
  const gibibytes = Math.round(os.totalmem() / 2 ** 30);
  return `${usableCpus()} x ${os.cpus()[0]?.model ?? "CPU"}, ${gibibytes} GiB, ${os.type()}, Node ${process.version}`;
}

function ticks() {
  const [, ...counts] = readFileSync("/proc/stat", "utf8").split("\n")[0].trim().split(/\s+/);
  const [user, nice, system, idle, wait, irq, softIrq, steal] = counts.map(Number);
  const busy = user + nice + system + irq + softIrq + (steal || 0);
  return { busy, all: busy + idle + wait };
}

// The share of all CPUs that is busy now, 0 to 1; NaN where it is not known.
export async function busyShare() {
  try {
    const before = ticks();
    await sleep(kGlance);
    const after = ticks();
    return (after.busy - before.busy) / Math.max(1, after.all - before.all);
  } catch {
    return Number.NaN;
  }
}

// Waits for a quiet moment, `patience` seconds at most; resolves to the share
// of the machine that is busy then, for the report.
export async function waitForQuiet(patience) {
  const deadline = performance.now() + patience * 1000;
  let share = await busyShare();
  while (share > kQuiet && performance.now() < deadline) {
    await sleep(1000);
    share = await busyShare();
  }
  return share;
}
