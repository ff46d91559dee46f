// A model or an engine for as long as some work takes, whatever becomes of it.
import { loadModel } from "infernode";

export async function withModel(path, options, work) {
  const model = await loadModel(path, options);
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}

export async function withEngine(model, options, work) {
  const engine = await model.createEngine(options);
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}
