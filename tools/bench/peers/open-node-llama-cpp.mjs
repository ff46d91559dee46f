// Opens a model with node-llama-cpp for a benchmark's process: on the CPU, with as many threads and sequences as the task says.
import { importPeer } from "./peer-import.mjs";

/**
 * @param {{ model: string, threads: number, contextLength: number, packages?: string }} task `packages`: the folder of
 *   npm packages; by default the one that importPeer() knows
 * @param {number} sequences of the context
 */
export async function openNodeLlamaCpp(task, sequences) {
  const { getLlama, LlamaLogLevel } = await importPeer("node-llama-cpp", task.packages);
  const llama = await getLlama({
    gpu: false,
    build: "never",
    skipDownload: true,
    logLevel: LlamaLogLevel.error,
    maxThreads: task.threads,
  });
  const model = await llama.loadModel({ modelPath: task.model });
  const context = await model.createContext({
    sequences,
    contextSize: task.contextLength,
    batchSize: 512,
    threads: task.threads,
    flashAttention: "auto",
  });
  return { llama, model, context };
}
