// infernode under traffic (lanes.mjs), in this process. Takes { model, threads,
// slots, contextLength, lanes, engine } in the file named by its argument,
// answers with one line of JSON.
import { readFileSync } from "node:fs";
import { loadModel } from "../../../dist/index.js";
import { runLanes } from "../lanes.mjs";

const task = JSON.parse(readFileSync(process.argv[2], "utf8"));
const model = await loadModel(task.model, { gpuLayers: 0 });
const engine = await model.createEngine({
  slots: task.slots,
  contextLength: task.contextLength,
  threads: task.threads,
  ...task.engine,
});

async function generate(prompt, newTokens, onTokens) {
  let promptTokens = 0;
  const request = { prompt, maxTokens: newTokens, temperature: 0, ignoreEos: true };
  for await (const event of engine.generate(request)) {
    if (event.type === "text-delta") onTokens(event.tokens.length);
    else promptTokens = event.usage.promptTokens;
  }
  return promptTokens;
}

await generate("warm", 4, () => {});
const before = process.cpuUsage();
const done = await runLanes(task.lanes, generate);
const { user, system } = process.cpuUsage(before);
const { promptTokensComputed, rowsPerStep, passesPerStep } = engine.stats();
const cpuMs = (user + system) / 1000;
console.log(JSON.stringify({ done, promptTokensComputed, rowsPerStep, passesPerStep, cpuMs }));
await engine.close();
await model.close();
