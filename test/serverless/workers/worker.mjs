// A worker as its users run it: a process of its own with the built package. Its
// handler does what the job's input says.
import { serverless } from "../../../dist/index.js";

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function block(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

async function* streamOf(items, gapMs) {
  for (const item of items) {
    yield item;
    if (gapMs !== undefined) await sleep(gapMs);
  }
}

/** Throws whatever is asked of it. */
function hostile() {
  const refuse = () => {
    throw new Error("do not look");
  };
  // Rejecting with it reads nothing of it.
  return new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse, ownKeys: refuse });
}

async function handler(job, context) {
  const { echo, stream, gapMs, sleepMs, blockMs, untilStopped, throws, exit, floats, listens } = job.input;
  if (listens !== undefined) {
    context.signal.addEventListener("abort", () => {
      throw new Error(listens);
    });
  }
  if (floats !== undefined)
    void sleep(5).then(() => Promise.reject(floats === "hostile" ? hostile() : new Error(floats)));
  if (stream !== undefined) return streamOf(stream, gapMs);
  if (sleepMs !== undefined) await sleep(sleepMs);
  if (blockMs !== undefined) block(blockMs);
  if (untilStopped) await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
  if (throws !== undefined) throw new Error(throws);
  if (exit !== undefined) process.exit(exit);
  return echo ?? null;
}

const slots = Number(process.env.TEST_SLOTS ?? 1);
if (process.env.TEST_CHECK !== undefined) {
  serverless.register_fitness_check(function hasModel() {
    throw new Error(process.env.TEST_CHECK);
  });
}
await serverless.start({ handler, concurrencyModifier: () => slots });
