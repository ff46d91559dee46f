// The shortest way from nothing to a first token with infernode.
// Takes { model, threads, contextLength, promptTokens } as JSON and writes one
// line when the token is there; the benchmark that started it holds the clock.
import { writeSync } from "node:fs";
import { loadModel } from "../../../dist/index.js";
import { promptText } from "../workload.mjs";

const task = JSON.parse(process.argv[2]);
const model = await loadModel(task.model, { gpuLayers: 0 });
const engine = await model.createEngine({
  slots: 1,
  contextLength: task.contextLength,
  threads: task.threads,
});
const generation = engine.generate({
  prompt: promptText(0, task.promptTokens),
  maxTokens: 1,
  temperature: 0,
  ignoreEos: true,
});
for await (const event of generation) {
  if (event.type === "text-delta") writeSync(1, "first-token\n");
}
await engine.close();
model.close();
