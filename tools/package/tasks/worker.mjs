// A RunPod worker that tells stories.
import { embeddedModelPath, loadModel, serverless } from "infernode";
import { z } from "zod";

let engine;
await serverless.start({
  input: z.object({ topic: z.string(), words: z.number().default(30) }),
  prepare: async () => {
    engine = await (await loadModel(embeddedModelPath())).createEngine({ slots: 4 });
  },
  concurrencyModifier: () => 4,
  async handler(job, { signal, log }) {
    const messages = [{ role: "user", content: `Tell me a story about ${job.input.topic}.` }];
    const { text, usage } = await engine.generate({ messages, maxTokens: job.input.words, signal });
    log.info(`${usage.completionTokens} tokens`);
    return { story: text };
  },
});
