// devices(): what a model can be placed on, as `device` of loadModel() names it.
import { native } from "./native-addon.js";
import type { NativeDevice } from "./native-devices.js";

/** A device that models can be placed on. */
export interface Device {
  /** As `device` of loadModel() names it: "CPU", "CUDA0", "Vulkan1". */
  readonly name: string;
  /** Whose it is among llama.cpp's backends: "CPU", "CUDA", "Vulkan". */
  readonly backend: string;
  /** The manufacturer's name of it. */
  readonly description: string;
  /** The CPU, a GPU with memory of its own, one that shares the host's ("igpu"), or another helper. */
  readonly type: "cpu" | "gpu" | "igpu" | "accelerator";
  /** Of an NVIDIA GPU: its compute capability, "9.0"; null for others. */
  readonly computeCapability: string | null;
  /** Bytes of its memory. */
  readonly memoryBytes: number;
  /** Bytes of it that nobody uses now. */
  readonly freeBytes: number;
}

/**
 * The devices that can be used, the CPU first. A GPU that is missing here has no backend, or one
 * that cannot use it: `infernode doctor` says why.
 * @throws InferenceError NATIVE_MISSING
 */
export function devices(): readonly Device[] {
  return native().devices().map(publicDevice);
}

function publicDevice({ memoryTotal, memoryFree, splitsRows: _, ...device }: NativeDevice): Device {
  const capability = device.backend === "CUDA" ? capabilityOf(device.name) : undefined;
  const computeCapability = capability ?? null;
  return Object.freeze({ ...device, computeCapability, memoryBytes: memoryTotal, freeBytes: memoryFree });
}

/** CUDA's devices have the driver's numbers. */
function capabilityOf(name: string): string | undefined {
  const index = Number(/\d+$/.exec(name)?.[0]);
  return native().nvidiaDriver().gpus[index]?.capability;
}
