// A contender that is a server of its own process, spoken to over HTTP. Answers as worker.mjs does.
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { onCores, startChild, stopChild } from "../child.mjs";
import { BenchFailure } from "../failure.mjs";
import { completeAll } from "./completions.mjs";

const kKeptCharacters = 3000;

// `command(port)` is the program and its arguments; `extra` are fields of every request's body.
export async function startServer(name, command, { threads, startMs, env = {}, extra = {} }) {
  const port = await freePort();
  const began = performance.now();
  const [program, ...args] = onCores(threads, command(port));
  const child = startChild(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = logOf(child);
  const ended = new Promise((_, reject) => {
    child.on("error", (error) => reject(new BenchFailure(`${name} could not be started: ${error.message}`)));
    child.on("exit", (code, signal) =>
      reject(new BenchFailure(`${name} ended (${signal ?? `exit ${code}`}):\n${log()}`)),
    );
  });
  ended.catch(() => {}); // told by whatever waits for it
  const origin = `http://127.0.0.1:${port}`;
  const stop = async () => {
    child.kill("SIGTERM");
    await stopChild(child);
  };
  const starting = new AbortController();
  try {
    await Promise.race([ready(origin, name, startMs, starting.signal), ended]);
  } catch (error) {
    starting.abort();
    await stop();
    throw error;
  }
  return {
    pid: child.pid,
    loadMs: performance.now() - began,
    run: (prompts, newTokens) => Promise.race([completeAll(origin, prompts, newTokens, extra), ended]),
    stop,
  };
}

function logOf(child) {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (more) => {
      text = (text + more).slice(-kKeptCharacters);
    });
  }
  return () => text;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

// An aborted wait ends quietly: whoever aborted it has told why.
async function ready(origin, name, startMs, signal) {
  for (const deadline = performance.now() + startMs; performance.now() < deadline; await sleep(100)) {
    const answer = await fetch(`${origin}/health`, { signal }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok || signal.aborted) return;
  }
  throw new BenchFailure(`${name} was not ready after ${startMs / 1000} s; --start-seconds allows more.`);
}
