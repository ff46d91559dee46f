// The first text after installing.
import { embeddedModelPath, loadModel } from "infernode";

const model = await loadModel(embeddedModelPath());
const engine = await model.createEngine();
const { text } = await engine.generate({ prompt: "Once upon a time", maxTokens: 20 });
console.log(text);
await engine.close();
await model.close();
