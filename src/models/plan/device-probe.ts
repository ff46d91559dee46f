// What benchmarks measure against: a model's cost from its header, how fast a device reads and
// multiplies matrices of the model's own types, and what NVIDIA's GPUs draw.
import { outlinedCheckpoint } from "../../engine/checkpoint-options.js";
import { jsonMetadata } from "../../engine/metadata.js";
import { checkpointAt, locateHere } from "../../engine/model-location.js";
import { judgeReference } from "../../engine/model-path.js";
import { native } from "../../native-addon.js";
import type { NativeGpuPower } from "../../native-plan.js";
import { costOf, type ModelCost } from "./model-cost.js";

/** A number type's rates on a device. */
export interface TypeRate {
  /** ggml's type name, such as "q4_K". */
  readonly type: string;
  /** Bytes of weights per second that one vector is multiplied by. */
  readonly bytesPerSecond: number;
  /** Operations per second, two a weight, where 512 vectors are multiplied at once. */
  readonly operationsPerSecond: number;
}

/** One device, measured. */
export interface DeviceProbe {
  /** As devices() names it. */
  readonly device: string;
  /** Of reading weights: the highest rate of all types below. */
  readonly bytesPerSecond: number;
  /** Of this model's mix of types, at 512 vectors. */
  readonly operationsPerSecond: number;
  readonly types: readonly TypeRate[];
}

const call = "bench()";
const manyVectors = 512;
/** Types with fewer of the weights are not measured. */
const leastShare = 0.05;
/** Starting a multiplication takes a GPU as long as reading some megabytes. */
const rowsOf = { cpu: 512, gpu: 32_768 } as const;

/** @throws InferenceError (rejects) the MODEL_ codes of a bad file */
export async function costOfModel(path: string): Promise<ModelCost> {
  const location = locateHere(call, judgeReference(call, path));
  const { tensors, metadata } = await native().inspectAsync(
    location.path,
    location.synthetic,
    checkpointAt(location, outlinedCheckpoint),
  );
  return costOf(tensors, jsonMetadata(metadata));
}

/**
 * Measures a device, which must be idle; takes half a second a type.
 * @param device as devices() names it
 * @throws InferenceError (rejects) OUT_OF_MEMORY, INVALID_OPTION where it multiplies none of the types
 */
export async function probeDevice(
  cost: ModelCost,
  { device, kind, threads }: { device: string; kind: "cpu" | "gpu"; threads: number },
): Promise<DeviceProbe> {
  const types: (TypeRate & { readonly secondsPerWeight: number; readonly weights: number })[] = [];
  for (const { type, columns, activeWeights: weights, bytes } of cost.matrices) {
    if (weights < leastShare * cost.activeWeights) continue;
    const probe = { type, columns, threads, bytes: cost.weightBytes, rows: rowsOf[kind], device };
    const alone = await native().probeMatrices({ ...probe, batch: 1 });
    const secondsPerWeight = (await native().probeMatrices({ ...probe, batch: manyVectors })) / manyVectors;
    const rates = { bytesPerSecond: bytes / alone, operationsPerSecond: 2 / secondsPerWeight };
    types.push({ type, ...rates, secondsPerWeight, weights });
  }
  const all = types.reduce((sum, { weights }) => sum + weights, 0);
  const seconds = types.reduce((sum, { weights, secondsPerWeight }) => sum + weights * secondsPerWeight, 0);
  return {
    device,
    bytesPerSecond: Math.max(...types.map(({ bytesPerSecond }) => bytesPerSecond)),
    operationsPerSecond: (2 * all) / seconds,
    types: types.map(({ type, bytesPerSecond, operationsPerSecond }) => ({
      ...{ type, bytesPerSecond, operationsPerSecond },
    })),
  };
}

/** What multiplies on this machine's CPU: instruction sets, and routines of infernode's own. */
export function cpuKernels(): readonly string[] {
  const { cpuFeatures, cpuKernels: own } = native().host();
  return [...cpuFeatures, ...own];
}

/** Power and energy of NVIDIA's GPUs now, or why there are none. Never rejects but for memory. */
export function gpuPower(): Promise<NativeGpuPower> {
  return native().gpuPower();
}
