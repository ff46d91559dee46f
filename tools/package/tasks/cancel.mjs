// Cancels a generation by a signal, and one by its method.
import { embeddedModelPath, loadModel } from "infernode";

const model = await loadModel(embeddedModelPath());
const engine = await model.createEngine();
const controller = new AbortController();
let seen = "";
try {
  for await (const text of engine.generate({ prompt: "Once", signal: controller.signal }).textStream) {
    seen += text;
    if (seen.length > 40) controller.abort();
  }
} catch (error) {
  console.log(error.code, error.cause?.name, seen.length);
}
const generation = engine.generate({ prompt: "Once", maxTokens: 1000, ignoreEos: true });
setTimeout(() => generation.cancel(), 100);
const { text, finishReason } = await generation;
console.log(finishReason, text.length, engine.stats().cancelled);
await engine.close();
