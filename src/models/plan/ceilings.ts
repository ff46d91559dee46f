// The least time that a device can take, by its memory bandwidth and matrix rate (the roofline
// model), and how near to it measured runs come. Pure arithmetic.
import type { GpuFacts } from "./gpus.js";
import type { MatrixGroup, ModelCost } from "./model-cost.js";

/** Requests at once, and what each holds. */
export interface Workload {
  /** Requests computed at once. */
  readonly slots: number;
  /** Tokens of a prompt, for the time to the first token. */
  readonly promptTokens: number;
  /** Bytes of keys and values that one decode step reads for one request. */
  readonly kvBytes: number;
}

/** Least times, in seconds. */
export interface Ceiling {
  /** One decode step: one token of each slot. */
  readonly stepSeconds: number;
  /** Computing one prompt alone. */
  readonly promptSeconds: number;
}

/**
 * Shares of the ceiling that published measurements of llama.cpp and others reach in decoding:
 * an A100 with Q4_K_M 30 %, an H100 33 %, RTX 4090 59 % (Q4_K_M) to 81 % (BF16), L40S 61 %.
 * From "GPU-Benchmarks-on-LLM-Inference" (XiongjieDai, 2024-05) and llm-awq's TinyChat figures,
 * against the bandwidths of gpus.ts.
 */
export const gpuEfficiency = { low: 0.3, high: 0.81 } as const;

/** Seconds per weight of a matrix of a type, for a number of vectors at once. */
export type WeightSeconds = (type: string, columns: number, vectors: number) => number;

/** @returns the least times on a GPU */
export function gpuCeiling(cost: ModelCost, gpu: GpuFacts, workload: Workload): Ceiling {
  const bandwidth = gpu.bandwidthGbs * 1e9;
  const { slots, kvBytes, promptTokens } = workload;
  const compute = (weightsOf: (group: MatrixGroup) => number) =>
    cost.matrices.reduce(
      (seconds, group) => seconds + (2 * weightsOf(group)) / matrixRate(gpu, group.type),
      0,
    );
  const stepCompute = compute(({ activeWeights }) => activeWeights * slots);
  const promptCompute = compute((group) => group.promptWeights * promptTokens + lastTokenWeights(group));
  const attention = attentionOperations(cost, promptTokens) / (gpu.f16Tflops * 1e12);
  return {
    stepSeconds: Math.max((cost.readBytes(slots) + slots * kvBytes) / bandwidth, stepCompute),
    promptSeconds: Math.max(cost.readBytes(promptTokens) / bandwidth, promptCompute + attention),
  };
}

/**
 * The same on this machine's CPU, by measured times of its matrix multiplications.
 * @param secondsPerByte of reading keys and values
 */
export function cpuCeiling(
  cost: ModelCost,
  workload: Workload,
  secondsOf: WeightSeconds,
  secondsPerByte: number,
): Ceiling {
  const { slots, kvBytes, promptTokens } = workload;
  const matrices = (vectors: number, weightsOf: (group: MatrixGroup) => number) =>
    cost.matrices.reduce(
      (seconds, group) => seconds + weightsOf(group) * secondsOf(group.type, group.columns, vectors),
      0,
    );
  const pieces = Math.ceil(promptTokens / promptPiece);
  return {
    stepSeconds: matrices(slots, ({ activeWeights }) => activeWeights) + slots * kvBytes * secondsPerByte,
    promptSeconds:
      pieces * matrices(Math.min(promptTokens, promptPiece), ({ promptWeights }) => promptWeights) +
      matrices(1, lastTokenWeights),
  };
}

/** The output matrix, as far as it is of the group. */
function lastTokenWeights({ activeWeights, promptWeights }: MatrixGroup): number {
  return activeWeights - promptWeights;
}

/** Prompt tokens of one pass: EngineOptions.prefillChunk's default. */
export const promptPiece = 512;

/** llama.cpp multiplies quantized weights in INT8, F16 and BF16 in FP16, F32 at half that rate. */
function matrixRate(gpu: GpuFacts, type: string): number {
  if (type === "f32") return (gpu.f16Tflops / 2) * 1e12;
  return (type === "f16" || type === "bf16" ? gpu.f16Tflops : gpu.int8Tops) * 1e12;
}

/** Of a causal prompt: each token attends to half of it on average. */
function attentionOperations(cost: ModelCost, tokens: number): number {
  return 2 * cost.layers * cost.attentionWidth * tokens * tokens;
}
