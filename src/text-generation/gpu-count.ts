// TENSOR_PARALLEL_SIZE and PIPELINE_PARALLEL_SIZE: how many of the GPUs share the model.
import type { Device } from "../devices.js";
import { bestGpus } from "../engine/placement.js";
import type { PlacementOptions } from "../engine/placement-options.js";
import { InferenceError } from "../errors.js";

/**
 * The placement on so many of the GPUs that it chooses from, the first ones. One GPU is no demand:
 * without any, the placement decides.
 * @throws InferenceError INVALID_OPTION: there are fewer
 */
export function onGpus(
  count: number,
  placement: PlacementOptions,
  devices: readonly Device[],
): PlacementOptions {
  const chosen = gpusOf(placement, devices);
  if (chosen.length >= count) return { ...placement, device: chosen.slice(0, count) };
  if (count === 1) return placement;
  throw new InferenceError(
    "INVALID_OPTION",
    `TENSOR_PARALLEL_SIZE times PIPELINE_PARALLEL_SIZE must be at most the GPUs there are, ${chosen.length}; got ${count}`,
  );
}

function gpusOf({ device = "auto", gpuLayers }: PlacementOptions, devices: readonly Device[]) {
  if (device === "cpu" || gpuLayers === 0) return [];
  if (device === "auto" || device === "gpu") return bestGpus(devices).map(({ name }) => name);
  return typeof device === "string" ? [device] : device;
}
