#!/usr/bin/env node
// What share of planModel()'s ceiling engines reach on this machine's CPU, and whether measured
// runs lie inside the printed band: the table of docs/decisions/0043. Plans and runs alternate, and
// a run is compared with the plans before and after it. Wants a quiet machine. On a busy one, keep it
// on one core (`taskset -c 0`), where threads do not wait for each other: of models beyond 100 MB plans
// and runs then lose alike; of smaller ones a plan, which times the best of many short multiplications,
// loses nothing, and --cpu-time takes what other programs took of the core from the runs' time, too.
//
//     node tools/bench/plan-band.mjs [--rounds 3] [--context 1024] [--slots 1,8,32] [--cpu-time] MODEL…
//
// By default of the embedded model. Requests hold half of the context on average, as a plan assumes: a
// quarter is prompt, a half is generated. Exits with 1 where a rate's median lies outside.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { embeddedModelPath, loadModel, planModel } from "../../dist/index.js";

const kFirstToken = 10; // a token id that every vocabulary has

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    context: { type: "string", default: "1024" },
    slots: { type: "string", default: "1,8,32" },
    "cpu-time": { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const contextLength = Number(values.context);
if (values["cpu-time"] && availableParallelism() > 1) throw new Error("--cpu-time: expected one core");

let isOutside = false;
for (const path of positionals.length > 0 ? positionals : [embeddedModelPath()]) {
  console.log(`${path}, ${rounds} rounds, context ${contextLength}`);
  for (const slots of values.slots.split(",").map(Number)) await compare(path, { slots, contextLength });
}
process.exitCode = isOutside ? 1 : 0;

async function compare(path, options) {
  const plans = [await cpuRow(path, options)];
  const runs = [];
  for (let round = 0; round < rounds; round += 1) {
    runs.push(await measure(path, options));
    plans.push(await cpuRow(path, options));
  }
  const figures = runs.map((run, at) => {
    const around = (name) => Math.sqrt(plans[at][name].ceiling * plans[at + 1][name].ceiling);
    return {
      rate: run.rate / around("tokensPerSecond"),
      first: around("timeToFirstTokenMs") / run.firstMs,
    };
  });
  const told = (name) => runs.map((run) => run[name].toFixed(1)).join(" ");
  const [{ tokensPerSecond: rate, timeToFirstTokenMs: first }] = plans;
  tell(
    `${options.slots} slots`,
    `${told("rate")} tokens/s`,
    figures.map((each) => each.rate),
    { low: rate.low / rate.ceiling, high: rate.high / rate.ceiling },
  );
  if (options.slots > 1) return;
  tell(
    `prompt of ${Math.min(512, contextLength / 2)}`,
    `${told("firstMs")} ms`,
    figures.map((each) => each.first),
    { low: first.ceiling / first.high, high: first.ceiling / first.low },
  );
}

async function cpuRow(path, options) {
  return (await planModel(path, options)).rows[0];
}

function tell(what, measured, shares, { low, high }) {
  const sorted = [...shares].sort((one, other) => one - other);
  const median = sorted[Math.floor(sorted.length / 2)];
  const inside = median >= low && median <= high;
  if (!inside) isOutside = true;
  const range = `${sorted[0].toFixed(2)}-${sorted.at(-1).toFixed(2)}`;
  console.log(
    `  ${what}: ${measured}; share of the ceiling ${median.toFixed(2)} (${range}), band ${low.toFixed(2)}-${high.toFixed(2)}${inside ? "" : " OUTSIDE"}`,
  );
}

/** Tokens per second of all slots together, and a prompt's time to the first token. */
async function measure(path, { slots, contextLength }) {
  const model = await loadModel(path, { gpuLayers: 0 });
  const engine = await model.createEngine({ slots, contextLength });
  const tokens = (length, salt) => Array.from({ length }, (_, at) => kFirstToken + ((at * 7 + salt) % 200));
  const ask = (prompt, maxTokens) =>
    engine.generate({ prompt, maxTokens, ignoreEos: true, temperature: 0, cache: false });
  await ask(tokens(contextLength / 4, 1), 8);
  const [first, ofFirst] = await shareOfCore(() => ask(tokens(Math.min(512, contextLength / 2), 2), 1));
  const [all, ofAll] = await shareOfCore(() =>
    Promise.all(
      Array.from({ length: slots }, (_, slot) => ask(tokens(contextLength / 4, 3 + slot), contextLength / 2)),
    ),
  );
  await engine.close();
  await model.close();
  const rate = all.reduce((sum, { timings }) => sum + timings.tokensPerSecond, 0) / ofAll;
  return { rate, firstMs: first.timings.timeToFirstTokenMs * ofFirst };
}

/** What some work returns, and the share of its time in which this process had the core; 1 by the clock. */
async function shareOfCore(work) {
  const [begin, before] = [performance.now(), process.cpuUsage()];
  const value = await work();
  const { user, system } = process.cpuUsage(before);
  const milliseconds = performance.now() - begin;
  return [value, values["cpu-time"] ? Math.min(1, (user + system) / 1000 / milliseconds) : 1];
}
