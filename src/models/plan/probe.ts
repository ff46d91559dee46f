// Measures this machine's CPU for a plan: seconds per weight of the model's own matrix types,
// at the numbers of vectors that its passes have.
import { availableParallelism } from "node:os";
import { native } from "../../native-addon.js";
import type { WeightSeconds } from "./ceilings.js";
import type { ModelCost } from "./model-cost.js";

export interface CpuProbe {
  readonly secondsOf: WeightSeconds;
  /** Of a KV cache, by the multiplication of as many bytes of F16 with the queries of one key. */
  readonly secondsPerByte: number;
}

/** Of one matrix: small beside a model's, so that several fit where the probe's bytes are few. */
const probeRows = 512;

/** Matrix types with fewer of the weights than this take the time of the most frequent type. */
const leastShare = 0.05;

/** Numbers of one head, as most models have. */
const headSize = 128;
const f16Bytes = 2;

/**
 * @param vectors numbers of vectors to measure each type for
 * @param cacheBytes of keys and values that a decode step reads
 * @throws InferenceError (rejects) OUT_OF_MEMORY
 */
export async function probeCpu(
  cost: ModelCost,
  vectors: readonly number[],
  cacheBytes: number,
): Promise<CpuProbe> {
  const threads = availableParallelism();
  const [most] = [...cost.matrices].sort((one, other) => other.activeWeights - one.activeWeights);
  const measured = new Map<string, number>();
  for (const { type, columns, activeWeights } of cost.matrices) {
    if (type !== most?.type && activeWeights < leastShare * cost.activeWeights) continue;
    for (const count of new Set([1, ...vectors])) {
      const probe = {
        ...{ type, columns, batch: count, threads, bytes: cost.weightBytes },
        ...{ rows: probeRows, device: "" },
      };
      measured.set(keyOf(type, count), await native().probeMatrices(probe));
    }
  }
  const secondsOf: WeightSeconds = (type, _columns, count) =>
    measured.get(keyOf(type, count)) ?? measured.get(keyOf(most?.type ?? type, count)) ?? 0;
  const batch = cost.queriesPerKey;
  const probe = {
    ...{ type: "f16", columns: headSize, batch, threads, bytes: Math.ceil(cacheBytes) },
    ...{ rows: probeRows, device: "" },
  };
  return { secondsOf, secondsPerByte: (await native().probeMatrices(probe)) / f16Bytes };
}

function keyOf(type: string, vectors: number): string {
  return `${type} ${vectors}`;
}
