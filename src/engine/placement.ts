// Where a model's weights are to lie, from loadModel()'s options and the devices that there
// are. Asks the addon. That a GPU goes unused, log.ts says.
import { InferenceError, invalidOption } from "../errors.js";
import { whyNoGpu } from "../gpu-problems.js";
import { native } from "../native-addon.js";
import type { ModelDevice, NativeDevice, NativePlacement } from "../native-devices.js";
import type { JudgedPlacement } from "./placement-options.js";
import { show } from "./shown.js";

/** Backends by how well they use a GPU that several of them see, best first. */
const bestBackends = ["CUDA", "ROCm", "MUSA", "CANN", "SYCL", "Vulkan"];

const onCpu: NativePlacement = {
  devices: [],
  gpuLayers: 0,
  splitMode: "layer",
  tensorSplit: [],
  mainGpu: 0,
  gpuMemoryUtilization: 1,
};

/**
 * The devices that a model's layers go to, and how many.
 * @param call the public function's name, opens the sentence
 * @throws InferenceError INVALID_OPTION: names that are no device's, a split that these devices
 *   cannot do; DEVICE_UNAVAILABLE: no GPU can be used where one was asked for
 */
export function placementFor(call: string, judged: JudgedPlacement): NativePlacement {
  return judged.device === "cpu" ? onCpu : placementAmong(call, judged, native().devices(), whyNoGpu);
}

/**
 * The same among given devices.
 * @param why no GPU can be used, asked where that is an error
 */
export function placementAmong(
  call: string,
  judged: JudgedPlacement,
  devicesThere: readonly NativeDevice[],
  why: () => string,
): NativePlacement {
  const { device, gpuLayers, splitMode } = judged;
  if (device === "cpu") return onCpu;
  const there = devicesThere.filter(isGpu);
  const unavailable = (asked: string) =>
    new InferenceError(
      "DEVICE_UNAVAILABLE",
      `${call}: ${asked}, and no GPU can be used: ${why()}; or take device "cpu"`,
    );
  if (there.length === 0 && typeof device !== "string")
    throw unavailable(`device is ${device.map(show).join(", ")}`);
  const chosen = typeof device === "string" ? bestGpus(there) : named(call, device, there);
  if (chosen.length === 0) {
    if (device === "gpu") throw unavailable('device is "gpu"');
    if (judged.asksForLayers) throw unavailable(`gpuLayers is ${spelled(gpuLayers)}`);
    if (typeof judged.mainGpu === "string") throw unavailable(`mainGpu is ${show(judged.mainGpu)}`);
    return onCpu;
  }
  if (gpuLayers === 0) return onCpu;
  const devices = splitMode === "none" ? [mainOf(call, judged.mainGpu, chosen)] : chosen;
  judgeSplit(call, judged, devices);
  return {
    devices: devices.map(({ name }) => name),
    gpuLayers,
    splitMode,
    tensorSplit: judged.tensorSplit,
    mainGpu: 0,
    gpuMemoryUtilization: judged.gpuMemoryUtilization,
  };
}

/** Whether anything lies elsewhere than in the host's memory. */
export function usesDevices({ devices, gpuLayers }: NativePlacement): boolean {
  return devices.length > 0 && gpuLayers !== 0;
}

/** Whether any layer is computed there; the host holds token embeddings without that. */
export function holdsLayers({ layers, hasOutput }: ModelDevice): boolean {
  return layers.length > 0 || hasOutput;
}

function isGpu({ type }: Pick<NativeDevice, "type">): boolean {
  return type === "gpu" || type === "igpu";
}

type Known = Pick<NativeDevice, "type" | "backend">;

/** All GPUs of the best backend, integrated ones where there are no others: two backends may see the same GPU. */
export function bestGpus<Gpu extends Known>(devices: readonly Gpu[]): readonly Gpu[] {
  const gpus = devices.filter(isGpu);
  const discrete = gpus.filter(({ type }) => type === "gpu");
  const candidates = discrete.length > 0 ? discrete : gpus;
  const rank = ({ backend }: Known) => {
    const place = bestBackends.indexOf(backend);
    return place < 0 ? bestBackends.length : place;
  };
  const [best] = [...candidates].sort((one, other) => rank(one) - rank(other));
  return candidates.filter(({ backend }) => backend === best?.backend);
}

function named(call: string, names: readonly string[], gpus: readonly NativeDevice[]) {
  return names.map((name) => {
    const found = gpus.find((gpu) => gpu.name.toLowerCase() === name.toLowerCase());
    if (found !== undefined) return found;
    const there = gpus.map((gpu) => gpu.name).join(", ");
    throw invalidOption(call, ["device"], `must name devices of this machine, ${there}; got ${show(name)}`);
  });
}

function mainOf(call: string, main: number | string, chosen: readonly NativeDevice[]): NativeDevice {
  const found =
    typeof main === "number"
      ? chosen[main]
      : chosen.find(({ name }) => name.toLowerCase() === main.toLowerCase());
  if (found !== undefined) return found;
  const there = chosen.map(({ name }) => name).join(", ");
  throw invalidOption(call, ["mainGpu"], `must be one of the devices chosen, ${there}; got ${show(main)}`);
}

function judgeSplit(call: string, judged: JudgedPlacement, devices: readonly NativeDevice[]): void {
  const names = devices.map(({ name }) => name).join(", ");
  const { splitMode, tensorSplit } = judged;
  if (tensorSplit.length > 0 && tensorSplit.length !== devices.length) {
    const problem = `must have a number for each device, ${devices.length} for ${names}; got ${tensorSplit.length}`;
    throw invalidOption(call, ["tensorSplit"], problem);
  }
  const without = devices.find(({ splitsRows }) => !splitsRows);
  if (splitMode === "row" && without !== undefined) {
    const problem = `"row" is not possible on ${without.name}: llama.cpp's ${without.backend} backend has no buffers for it; take "layer" or "tensor"`;
    throw invalidOption(call, ["splitMode"], problem);
  }
}

function spelled(gpuLayers: number): string {
  return gpuLayers < 0 ? '"all"' : String(gpuLayers);
}
