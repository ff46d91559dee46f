// Measures this machine's CPU for a plan: seconds per weight of the model's own matrix types,
// at the numbers of vectors that its passes have.
import { availableParallelism } from "node:os";
import { native } from "../../native-addon.js";
import type { WeightSeconds } from "./ceilings.js";
import type { ModelCost } from "./model-cost.js";

export interface CpuProbe {
  readonly secondsOf: WeightSeconds;
  /** Of reading memory, by the fastest multiplication of one vector. */
  readonly secondsPerByte: number;
}

/** Of one matrix: small beside a model's, so that several fit where the probe's bytes are few. */
const probeRows = 512;

/** Matrix types with fewer of the weights than this take the time of the most frequent type. */
const leastShare = 0.05;

/**
 * @param vectors numbers of vectors to measure each type for
 * @throws InferenceError (rejects) OUT_OF_MEMORY
 */
export async function probeCpu(cost: ModelCost, vectors: readonly number[]): Promise<CpuProbe> {
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
  const bytesPerWeight = cost.weightBytes / cost.parameters;
  return { secondsOf, secondsPerByte: secondsOf(most?.type ?? "f32", 0, 1) / bytesPerWeight };
}

function keyOf(type: string, vectors: number): string {
  return `${type} ${vectors}`;
}
