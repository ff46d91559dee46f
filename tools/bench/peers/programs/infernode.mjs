// infernode through its public API, in the process that worker.mjs starts.
import { loadModel } from "../../../../dist/index.js";
import { answerTasks, tokenCounter } from "./answers.mjs";

const task = JSON.parse(process.argv.at(-1));
const model = await loadModel(task.model, { gpuLayers: 0 });
const { slots, contextLength, threads } = task;
const engine = await model.createEngine({ slots, contextLength, threads, ...task.engine });

async function complete(prompt, newTokens) {
  const counter = tokenCounter();
  let usage;
  let text = "";
  const request = { prompt, maxTokens: newTokens, temperature: 0, ignoreEos: true };
  for await (const event of engine.generate(request)) {
    if (event.type === "text-delta") {
      counter.count(event.tokens.length);
      text += event.text;
    } else if (event.type === "end") {
      usage = event.usage;
    }
  }
  return { ...counter, promptTokens: usage.promptTokens, generatedTokens: usage.completionTokens, text };
}

await answerTasks("", (prompts, newTokens) => prompts.map((prompt) => complete(prompt, newTokens)));
await engine.close();
await model.close();
