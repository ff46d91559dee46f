// A contender in a process of its own that computes through its library: programs/ speak this
// protocol. The task is the last argument, as JSON. The process prints { ready, version } once its
// model is loaded; then each line of its stdin is { prompts, newTokens } and is answered by
// { wallMs, promptTokens, generatedTokens, countedTokens, texts }; it ends at the end of stdin.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onCores, startChild, stopChild } from "../child.mjs";
import { BenchFailure } from "../failure.mjs";

const kKeptLines = 15;

export async function startWorker(name, command, args, { task, env = {} }) {
  const began = performance.now();
  const [program, ...rest] = onCores(task.threads, [command, ...args, JSON.stringify(task)]);
  const child = startChild(program, rest, {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => {}); // the process has ended, which its answer tells
  const answers = answersOf(child, name);
  const ready = await answers.next();
  return {
    pid: child.pid,
    loadMs: performance.now() - began,
    version: ready.version,
    async run(prompts, newTokens) {
      child.stdin.write(`${JSON.stringify({ prompts, newTokens })}\n`);
      return await answers.next();
    },
    async stop() {
      child.stdin.end();
      await stopChild(child);
    },
  };
}

// The lines of JSON of a child's stdout, one by one; rejects once it has ended.
function answersOf(child, name) {
  const tail = [];
  const keep = (line) => {
    tail.push(line);
    if (tail.length > kKeptLines) tail.shift();
  };
  const waiting = [];
  const found = [];
  const settle = () => {
    while (waiting.length > 0 && found.length > 0) waiting.shift().resolve(found.shift());
  };
  let failure;
  const fail = (reason) => {
    failure = new BenchFailure(`${name} ended (${reason}):\n  ${tail.join("\n  ")}`);
    for (const { reject } of waiting.splice(0)) reject(failure);
  };
  const output = createInterface({ input: child.stdout });
  const isRead = once(output, "close");
  output.on("line", (line) => {
    if (!line.startsWith('{"')) return keep(line);
    found.push(JSON.parse(line));
    settle();
  });
  createInterface({ input: child.stderr }).on("line", keep);
  child.on("error", (error) => fail(error.message));
  child.on("close", async (code, signal) => {
    await isRead;
    fail(signal ?? `exit ${code}`);
  });
  return {
    next() {
      return new Promise((resolve, reject) => {
        if (failure !== undefined && found.length === 0) return reject(failure);
        waiting.push({ resolve, reject });
        settle();
      });
    },
  };
}
