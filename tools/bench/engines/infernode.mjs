// infernode doing a benchmark's task, through its public API, in this process.
// Takes { model, threads, sequences, contextLength, promptTokens, newTokens,
// repeats } as JSON and answers with one line of JSON.
import { loadModel } from "../../../dist/index.js";
import { promptText, summarise, tokenClock } from "../workload.mjs";

const kWarmUpTokens = 4;

const task = JSON.parse(process.argv[2]);
const model = await loadModel(task.model, { gpuLayers: 0 });
const engine = await model.createEngine({
  slots: task.sequences,
  contextLength: task.contextLength,
  threads: task.threads,
  ...task.engine,
});

async function generate(index, newTokens) {
  const prompt = promptText(index, task.promptTokens);
  const clock = tokenClock();
  const generation = engine.generate({ prompt, maxTokens: newTokens, temperature: 0, ignoreEos: true });
  let promptTokens = 0;
  for await (const event of generation) {
    if (event.type === "text-delta") clock.token(event.tokens.length);
    else promptTokens = event.usage.promptTokens;
  }
  return { clock, promptTokens };
}

await generate(-1, kWarmUpTokens);
const runs = [];
for (let repeat = 0; repeat < (task.repeats ?? 1); repeat += 1) runs.push(await run());
await engine.close();
model.close();
console.log(JSON.stringify({ runs }));

async function run() {
  const before = engine.stats();
  const burst = Array.from({ length: task.sequences }, (_, index) => generate(index, task.newTokens));
  const done = await Promise.all(burst);
  const after = engine.stats();
  const clocks = done.map(({ clock }) => clock);
  const promptTokens = done.map((generation) => generation.promptTokens);
  const spent = Object.fromEntries(Object.keys(after).map((key) => [key, after[key] - before[key]]));
  const steady = steadyPhase(clocks.map((clock) => clock.arrivals));
  return { ...summarise(clocks, promptTokens), spent, steady };
}

// From the moment the last sequence has its first token until the first one
// ends: every step in between decodes all of them and nothing else. The clock
// is that of the sequence that ends first, so both ends are the same event of
// a step: the arrival of that sequence's token.
function steadyPhase(times) {
  const allDecoding = Math.max(...times.map((list) => list[0]));
  const first = times.reduce((left, right) => (right.at(-1) < left.at(-1) ? right : left));
  const steady = first.filter((time) => time >= allDecoding || sameStep(time, allDecoding));
  const milliseconds = steady.at(-1) - steady[0];
  const tokens = (steady.length - 1) * times.length;
  return { tokens, milliseconds, tokensPerSecond: (tokens * 1000) / milliseconds };
}

// Tokens of one step arrive together, within a fraction of a millisecond.
function sameStep(time, other) {
  return Math.abs(time - other) < 1;
}
