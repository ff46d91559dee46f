// `npm run soak [-- --requests 10000]`: thousands of short generations on the
// embedded model through the public API, a third of them cancelled at random
// points, others forked, constrained or answered several times. Each must end
// exactly once; whenever the engine is idle its books
// must balance; resident memory may grow by at most `--growth` percent between
// a fifth of the requests and the last. Prints the figures, exits 1 on a fault.
// Run with --max-semi-space-size=1: V8 widens its young generation with use, by
// up to 16 MiB at a moment of its own, which is no leak and would hide one.
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { embeddedModelPath, loadModel } from "infernode";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "10000" },
    growth: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
  },
});
const total = Number(values.requests);
const batch = Math.ceil(total / 20); // requests between two idle points
const alive = 48; // at once, on 8 slots: most requests wait first
const idleTurns = 100_000;

let state = Number(values.seed);
function random(below) {
  state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
  return ((state ^ (state >>> 13)) >>> 0) % below;
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

const openings = [
  "Once upon a time",
  "The little fox",
  "Mara said",
  "It was raining",
  "",
  "In the old town there",
];
const ends = { stop: 0, length: 0, cancelled: 0, left: 0, forked: 0 };

// What some of the requests ask for besides.
const extras = [
  {},
  {},
  {},
  { n: 3 },
  { logProbs: 5 },
  { regex: "[a-z ]{0,12}\\." },
  { choice: ["yes", "no", "perhaps not"] },
  { n: 2, grammar: 'root ::= ("ab" | "cd")+ "!"' },
  { dryMultiplier: 1, repeatPenalty: 1.1 },
  { cache: false, n: 2 },
];

function makeRequest() {
  const prompt = `${openings[random(openings.length)]}${" and then".repeat(random(20))}`;
  const temperature = random(2);
  const extra = extras[random(extras.length)];
  return {
    prompt,
    temperature,
    seed: random(1000),
    maxTokens: 1 + random(16),
    ignoreEos: random(4) > 0,
    ...extra,
  };
}

/** One generation awaited; every third is aborted, at once or some turns later. */
async function awaitOne(engine, cancels) {
  const controller = new AbortController();
  const run = engine.generate({ ...makeRequest(), signal: controller.signal });
  let settled = 0;
  const count = () => {
    settled += 1;
  };
  run.then(count, count);
  if (cancels) {
    for (let turns = random(12); turns > 0; turns -= 1) await new Promise(setImmediate);
    controller.abort();
  }
  try {
    const { finishReason } = await run;
    ends[finishReason] += 1;
  } catch (error) {
    assert.equal(error.code, "CANCELLED");
    ends.cancelled += 1;
  }
  await run.catch(() => {});
  assert.equal(settled, 1, "a generation settled more than once");
}

/** One generation read event by event; cancels go through cancel() at an event. */
async function readOne(engine, cancels) {
  const run = engine.generate(makeRequest());
  let events = cancels ? random(8) : -1;
  if (events === 0) run.cancel();
  const types = [];
  for await (const event of run) {
    types.push(event.type);
    if (event.type === "end") ends[event.finishReason] += 1;
    events -= 1;
    if (events === 0) run.cancel();
  }
  assert.equal(types.filter((type) => type === "end").length, 1, "a generation has not one end");
  assert.equal(types.at(-1), "end", "something came after the end");
}

/** One generation whose reader leaves the loop early, which cancels it. */
async function leaveOne(engine, cancels) {
  const run = engine.generate(makeRequest());
  for await (const event of run) {
    if (event.type === "end" || (cancels && random(4) === 0)) break;
  }
  const { finishReason } = await run;
  assert.ok(finishReason in ends);
  ends.left += 1;
}

let forks = 0; // asked for

/** One generation continued a second time; either of the two may be cancelled. */
async function forkOne(engine, cancels) {
  const run = engine.generate({ ...makeRequest(), maxTokens: 16 });
  for (let turns = random(12); turns > 0; turns -= 1) await new Promise(setImmediate);
  let fork;
  forks += 1;
  try {
    fork = engine.fork(run, { seed: random(1000) });
  } catch (error) {
    assert.equal(error.code, "INVALID_OPTION"); // it has ended
  }
  if (cancels) (random(2) === 0 ? run : fork)?.cancel();
  const { finishReason } = await run;
  ends[finishReason] += 1;
  const end = await fork?.catch((error) => assert.equal(error.code, "INVALID_OPTION"));
  if (end !== undefined) ends.forked += 1;
}

const ways = [awaitOne, readOne, leaveOne, forkOne];

async function runBatch(engine, count) {
  let started = 0;
  const worker = async () => {
    while (started < count) {
      started += 1;
      await ways[random(ways.length)](engine, random(3) === 0);
    }
  };
  await Promise.all(Array.from({ length: alive }, worker));
}

/** The last cancel may still be on its way when its reader has left. */
async function mustBeIdle(engine) {
  for (let turn = 0; turn < idleTurns; turn += 1) {
    const { running, waiting, kvCellsUsed } = engine.stats();
    if (running === 0 && waiting === 0 && kvCellsUsed === 0) return;
    await new Promise(setImmediate);
  }
  assert.fail(`idle, and yet ${JSON.stringify(engine.stats())}`);
}

function residentMebibytes() {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage.rss() / 2 ** 20;
}

const model = await loadModel(embeddedModelPath());
// Host memory for prefixes is full long before the growth is measured.
const engine = await model.createEngine({
  slots: 8,
  contextLength: 256,
  threads: 1,
  queueLimit: 256,
  speculation: true,
  hostCacheBytes: 2 ** 22,
});
let warm = 0;
for (let done = 0; done < total; ) {
  const count = Math.min(batch, total - done);
  await runBatch(engine, count);
  await mustBeIdle(engine);
  done += count;
  const resident = residentMebibytes();
  if (warm === 0 && done * 5 >= total) warm = resident;
  console.log(`${done} requests, resident ${resident.toFixed(1)} MiB`);
}
const last = residentMebibytes();
const growth = 100 * (last / warm - 1);
const ended = Object.values(ends).reduce((sum, count) => sum + count, 0) - ends.forked;
const { generatedTokens, failedPasses, preemptions, ...figures } = engine.stats();
const counted = figures.finished + figures.failed + figures.cancelled + figures.refused;
console.log(JSON.stringify({ ...ends, generatedTokens, failedPasses, preemptions, growthPercent: growth }));
await engine.close();
await model.close();
assert.equal(ended, total, "a request ended more than once or never");
assert.equal(counted, total + forks, "stats() counts other requests than there were");
assert.equal(failedPasses, 0);
assert.ok(ends.forked > total / 50, "forks were hardly tried");
assert.ok(ends.cancelled > total / 20, "cancelling was hardly tried");
assert.ok(growth <= Number(values.growth), `resident memory grew by ${growth.toFixed(1)} %`);
