// @fugood/llama.node with its parallel slots.
import { importPeer, packageVersion } from "../peer-import.mjs";
import { answerTasks, tokenCounter } from "./answers.mjs";

const kCellStep = 256; // llama.cpp pads each sequence's share of the context to it

const task = JSON.parse(process.argv.at(-1));
const { loadModel, toggleNativeLog } = await importPeer("@fugood/llama.node", task.packages);
await toggleNativeLog(false);
const cells = Math.ceil(task.contextLength / kCellStep) * kCellStep;
const context = await loadModel({
  model: task.model,
  n_ctx: cells * task.slots,
  n_batch: 512,
  n_ubatch: 512,
  n_parallel: task.slots,
  n_threads: task.threads,
  n_gpu_layers: 0,
  flash_attn_type: "auto",
  kv_unified: false,
});
await context.parallel.enable({ n_parallel: task.slots, n_batch: 512 });

async function complete(prompt, newTokens) {
  const counter = tokenCounter();
  let text = "";
  const request = { prompt, n_predict: newTokens, temperature: 0, top_k: 1, ignore_eos: true };
  const { promise } = await context.parallel.completion(
    { ...request, penalty_repeat: 1, seed: 1 },
    (_, data) => {
      counter.count();
      text += data?.token ?? "";
    },
  );
  const result = await promise;
  const { prompt_n: computed, cache_n: cached = 0 } = result.timings;
  return {
    ...counter,
    ended: counter.ended || performance.now(),
    promptTokens: computed + cached,
    generatedTokens: result.tokens_predicted,
    text: result.text ?? text,
  };
}

const version = packageVersion("@fugood/llama.node", task.packages);
await answerTasks(version, (prompts, newTokens) => prompts.map((prompt) => complete(prompt, newTokens)));
await context.release();
process.exit(0); // its threads keep the process alive
