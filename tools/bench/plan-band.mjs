#!/usr/bin/env node
// What share of planModel()'s ceiling engines reach on this machine's CPU, and whether measured
// runs lie inside the printed band: the table of docs/decisions/0043. Wants a quiet machine, since
// the ceiling and the runs are measured one after the other.
//
//     node tools/bench/plan-band.mjs MODEL…          by default the embedded model
//
// Requests hold half of the context on average, as a plan assumes: a quarter is prompt, a half is
// generated. Exits with 1 where a rate lies outside.
import { embeddedModelPath, loadModel, planModel } from "../../dist/index.js";

const kSlots = [1, 8, 32];
const kContext = 1024;
const kFirstToken = 10; // a token id that every vocabulary has

const models = process.argv.slice(2);
let isOutside = false;
for (const path of models.length > 0 ? models : [embeddedModelPath()]) {
  console.log(path);
  for (const slots of kSlots) await compare(path, slots);
}
process.exitCode = isOutside ? 1 : 0;

async function compare(path, slots) {
  const options = { slots, contextLength: kContext };
  const plan = await planModel(path, options);
  const { tokensPerSecond, timeToFirstTokenMs } = plan.rows[0];
  const run = await measure(path, options);
  tell(`${slots} slots`, "tokens/s", run.rate, tokensPerSecond, run.rate / tokensPerSecond.ceiling);
  if (slots === 1) {
    const share = timeToFirstTokenMs.ceiling / run.firstMs;
    tell("prompt of 512", "ms", run.firstMs, timeToFirstTokenMs, share);
  }
}

function tell(what, unit, measured, { low, high }, share) {
  const inside = measured >= low && measured <= high;
  if (!inside) isOutside = true;
  const band = `${low.toFixed(1)}-${high.toFixed(1)}`;
  console.log(
    `  ${what}: ${measured.toFixed(1)} ${unit}, band ${band}, share ${share.toFixed(2)}${inside ? "" : " OUTSIDE"}`,
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
  const first = await ask(tokens(contextLength / 2, 2), 1);
  const all = await Promise.all(
    Array.from({ length: slots }, (_, slot) => ask(tokens(contextLength / 4, 3 + slot), contextLength / 2)),
  );
  await engine.close();
  await model.close();
  const rate = all.reduce((sum, { timings }) => sum + timings.tokensPerSecond, 0);
  return { rate, firstMs: first.timings.timeToFirstTokenMs };
}
