// A handler of your own: jobs whose input is a topic, and whose answer is a story with its length.
//   npx infernode serve ./custom-handler.mjs
//   curl http://127.0.0.1:8000/v2/my-endpoint/runsync -d '{"input": {"topic": "a fox"}}'
// In a RunPod worker's image the same file is started by `node custom-handler.mjs`.
import { embeddedModelPath, loadModel, serverless } from "infernode";

let engine;

serverless.start({
  /** Runs once, before the first job. */
  async prepare() {
    const model = await loadModel(process.env.MODEL_NAME ?? embeddedModelPath());
    engine = await model.createEngine({ slots: 4 });
  },

  /** Jobs at once: as many as the engine computes together. */
  concurrencyModifier: () => 4,

  async handler({ input }, { signal, log }) {
    if (typeof input.topic !== "string") return { error: "input.topic must be text" };
    const messages = [{ role: "user", content: `Tell me a story about ${input.topic}.` }];
    const { text, usage } = await engine.generate({ messages, maxTokens: input.maxTokens ?? 60, signal });
    log.info(`${usage.completionTokens} tokens`);
    return { story: text, tokens: usage.completionTokens };
  },
});
