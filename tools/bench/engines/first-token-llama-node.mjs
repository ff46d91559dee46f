// The shortest way from nothing to a first token with @fugood/llama.node;
// takes and answers what first-token-infernode.mjs does.
import { writeSync } from "node:fs";
import { importPeer } from "../peers/peer-import.mjs";
import { promptText } from "../workload.mjs";

const task = JSON.parse(process.argv[2]);
const { loadModel, toggleNativeLog } = await importPeer("@fugood/llama.node");
await toggleNativeLog(false);
const context = await loadModel({
  model: task.model,
  n_ctx: task.contextLength,
  n_threads: task.threads,
  n_gpu_layers: 0,
  flash_attn_type: "auto",
});
const request = {
  prompt: promptText(0, task.promptTokens),
  n_predict: 1,
  temperature: 0,
  ignore_eos: true,
};
await context.completion(request, () => writeSync(1, "first-token\n"));
await context.release();
