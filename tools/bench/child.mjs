// Child processes of a benchmark. Every measurement is one fresh process at
// normal priority, alone on the machine as far as the benchmark can see to it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { BenchFailure } from "./failure.mjs";
import { usableCpus } from "./machine.mjs";
import { root } from "./places.mjs";

const kKeptLines = 15;
const live = new Set();

// An interrupted benchmark takes what it started with it.
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
]) {
  process.on(signal, () => {
    for (const child of live) child.kill("SIGTERM");
    process.exit(code);
  });
}

// A process that is ended with this one.
export function startChild(command, args, options) {
  const child = spawn(command, args, { cwd: root, ...options });
  live.add(child);
  child.on("close", () => live.delete(child));
  return child;
}

const hasEnded = (child) => child.exitCode !== null || child.signalCode !== null;

// Waits for a process that was told to end, tells it again after a while, then kills it.
export async function stopChild(child, patienceMs = 20_000) {
  const deadlines = [patienceMs / 4, patienceMs].map((milliseconds, turn) =>
    setTimeout(() => child.kill(turn === 0 ? "SIGTERM" : "SIGKILL"), milliseconds),
  );
  if (!hasEnded(child)) await once(child, "exit");
  for (const deadline of deadlines) clearTimeout(deadline);
}

// A command that runs on as many cores as it may have threads, whatever it starts by itself.
export function onCores(threads, command) {
  if (threads >= usableCpus()) return command;
  return ["taskset", "--cpu-list", `0-${threads - 1}`, ...command];
}

// Runs a command and resolves to what `onLine(line, sinceStart)` made of its
// stdout: every value that is not undefined. Rejects when fewer than `least` came or
// the process failed.
export function results(command, args, onLine, { env = {}, what = command, least = 1 } = {}) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = startChild(command, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const found = [];
    const tail = [];
    const keep = (line) => {
      tail.push(line);
      if (tail.length > kKeptLines) tail.shift();
    };
    // The last line may come after the process' own end.
    const output = createInterface({ input: child.stdout });
    const read = once(output, "close");
    output.on("line", (line) => {
      keep(line);
      const value = onLine(line, performance.now() - started);
      if (value !== undefined) found.push(value);
    });
    createInterface({ input: child.stderr }).on("line", keep);
    child.on("error", (error) => reject(new BenchFailure(`${what} could not be started: ${error.message}`)));
    child.on("close", async (code, signal) => {
      await read;
      if (code === 0 && found.length >= least) return resolve(found);
      const ending = signal ?? `exit ${code}`;
      reject(new BenchFailure(`${what} gave no figure (${ending}):\n  ${tail.join("\n  ")}`));
    });
  });
}

// A command for its effect; what it printed is told where it failed.
export async function runQuietly(command, args, options) {
  await results(command, args, (line) => line, options);
}

// A program that runs until it is killed; `failure` says how it ended by itself, or is null.
export function startProgram(command, args) {
  const child = startChild(command, args, { stdio: "ignore" });
  child.failure = null;
  child.on("error", ({ message }) => {
    child.failure = message;
  });
  child.on("exit", (code, signal) => {
    child.failure ??= signal ?? `exit ${code}`;
  });
  return child;
}

// A program that prints JSON objects, each on a line of its own.
export function jsonResults(command, args, options) {
  return results(command, args, (line) => (line.startsWith("{") ? JSON.parse(line) : undefined), options);
}

// One of engines/: takes its task as JSON, or a file with it, as its argument and
// answers with a line of JSON.
export async function runEngine(file, task) {
  const argument = typeof task === "string" ? task : JSON.stringify(task);
  const [answer] = await jsonResults(process.execPath, [file, argument], { what: file });
  return answer;
}

// A command for its effect, its output to the user.
export function runLoudly(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = startChild(command, args, { stdio: ["ignore", "inherit", "inherit"], ...options });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new BenchFailure(`${command} ${args[0] ?? ""} failed (${signal ?? `exit ${code}`}).`));
    });
  });
}
