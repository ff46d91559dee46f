// The shortest way from nothing to a first token with node-llama-cpp; takes
// and answers what first-token-infernode.mjs does.
import { writeSync } from "node:fs";
import { importPeer } from "../peers/peer-import.mjs";
import { promptText } from "../workload.mjs";

const task = JSON.parse(process.argv[2]);
const { getLlama, LlamaLogLevel } = await importPeer("node-llama-cpp");
const llama = await getLlama({
  gpu: false,
  build: "never",
  skipDownload: true,
  logLevel: LlamaLogLevel.error,
  maxThreads: task.threads,
});
const model = await llama.loadModel({ modelPath: task.model });
const context = await model.createContext({
  sequences: 1,
  contextSize: task.contextLength,
  threads: task.threads,
  flashAttention: "auto",
});
const tokens = [model.tokens.bos, ...model.tokenize(promptText(0, task.promptTokens))];
for await (const token of context.getSequence().evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
  model.detokenize([token]);
  writeSync(1, "first-token\n");
  break;
}
await llama.dispose();
