// Several engines of one model in this process, in turns: the first one alone, then all
// together, many times. Takes { model, threads, engines, sequences, phases, milliseconds,
// engine } as JSON and answers with one line of JSON: tokens/s of each phase.
import { loadModel } from "../../../dist/index.js";
import { promptText } from "../workload.mjs";

const kPromptTokens = 16;
const kNewTokens = 128;

const task = JSON.parse(process.argv[2]);
const model = await loadModel(task.model, { gpuLayers: 0 });
const options = { slots: task.sequences, contextLength: 256, threads: task.threads, ...task.engine };
const engines = await Promise.all(Array.from({ length: task.engines }, () => model.createEngine(options)));

const generated = () => engines.reduce((sum, engine) => sum + engine.stats().generatedTokens, 0);

async function generateUntil(engine, signal, index) {
  const request = {
    prompt: promptText(index, kPromptTokens),
    maxTokens: kNewTokens,
    ignoreEos: true,
    signal,
  };
  while (!signal.aborted) {
    await engine.generate(request).catch((error) => {
      if (!signal.aborted) throw error;
    });
  }
}

// Tokens per second of all engines in `busy` together.
async function phase(busy) {
  const before = generated();
  const began = performance.now();
  const signal = AbortSignal.timeout(task.milliseconds);
  const lanes = busy.flatMap((engine) =>
    Array.from({ length: task.sequences }, (_, index) => generateUntil(engine, signal, index)),
  );
  await Promise.all(lanes);
  return ((generated() - before) * 1000) / (performance.now() - began);
}

await phase(engines); // warms up
const figures = { one: [], all: [] };
for (let round = 0; round < task.phases; round += 1) {
  const turns = [
    ["one", engines.slice(0, 1)],
    ["all", engines],
  ];
  for (const [name, busy] of round % 2 === 0 ? turns : turns.reverse()) figures[name].push(await phase(busy));
}
await Promise.all(engines.map((engine) => engine.close()));
model.close();
console.log(JSON.stringify(figures));
