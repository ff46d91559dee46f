// The addon's calls about what computes: backends, devices, NVIDIA's driver, the CPU, and where
// a model is to lie. Types only.

/** How several devices share one model. */
export type SplitMode = "none" | "layer" | "row" | "tensor";

/** Where a model's weights are to lie. */
export interface NativePlacement {
  /** Names of devices(), in this order; none: the CPU alone. */
  readonly devices: readonly string[];
  /** Layers to place on those devices; -1 means all, -2 as many as fit. */
  readonly gpuLayers: number;
  /** How several devices share one model. */
  readonly splitMode: SplitMode;
  /** A share for each device; none: by their free memory. */
  readonly tensorSplit: readonly number[];
  /** Index into devices: what is not split lies there. */
  readonly mainGpu: number;
  /** The share of each device's memory that as many layers as fit may use. */
  readonly gpuMemoryUtilization: number;
}

/** What of a loaded model lies on one device. */
export interface ModelDevice {
  /** As devices() names it: "CUDA0"; "CPU" is the host's memory. */
  readonly name: string;
  /**
   * The layers that it holds and computes, from 0, ascending. With splitMode "row" and "tensor"
   * each layer lies on all of the GPUs, a part on each.
   */
  readonly layers: readonly number[];
  /** Whether the output layer, from the last hidden state to the logits, is here too. */
  readonly hasOutput: boolean;
  /** Bytes of weights in its memory. Token embeddings are the host's, whatever lies elsewhere. */
  readonly weightBytes: number;
}

/** A device that llama.cpp can compute with. */
export interface NativeDevice {
  /** As options name it: "CUDA0", "Vulkan1", "CPU". */
  readonly name: string;
  /** Of its backend: "CUDA", "Vulkan", "CPU". */
  readonly backend: string;
  readonly description: string;
  readonly type: "cpu" | "gpu" | "igpu" | "accelerator";
  /** Whether its backend can split a matrix's rows over devices. */
  readonly splitsRows: boolean;
  readonly memoryTotal: number;
  readonly memoryFree: number;
}

/** A backend's file, and what became of it. */
export interface NativeBackend {
  /** Absolute path. */
  readonly path: string;
  /** "cuda", "vulkan", "cpu-zen4"; "" where the file's name does not say. */
  readonly backend: string;
  readonly loaded: boolean;
  /** Devices that it offers. */
  readonly devices: number;
  /** Why it is not loaded or offers no device; "": it is of use. */
  readonly problem: string;
}

/** A backend's file that is not to be loaded. */
export interface NativeRefusedBackend {
  readonly path: string;
  readonly reason: string;
}

/** What NVIDIA's driver tells. */
export interface NativeNvidiaDriver {
  /** Why there is no GPU to use; "": there is one. */
  readonly problem: string;
  /** CUDA version it supports, 13000 for 13.0; 0: unknown. */
  readonly cudaVersion: number;
  /** In the order of CUDA's devices. */
  readonly gpus: readonly {
    readonly name: string;
    /** Compute capability, "9.0". */
    readonly capability: string;
    readonly memoryTotal: number;
  }[];
}

/** The machine without its GPUs. */
export interface NativeHost {
  /** Instruction sets that the loaded CPU backend was compiled for. */
  readonly cpuFeatures: readonly string[];
  /** Routines of infernode's own that it has in place of ggml's. */
  readonly cpuKernels: readonly string[];
  /** CPUs that this process may use. */
  readonly cpus: number;
  /** Bytes that the container or host has left; 0: unknown. */
  readonly memoryAvailable: number;
}

export interface NativeDeviceCalls {
  /**
   * Loads the backends beside the addon and the given ones, but for the refused, once. Throws
   * where none fits the CPU.
   */
  start(backends: readonly string[], refused: readonly NativeRefusedBackend[]): void;
  devices(): NativeDevice[];
  /** Every backend's file that start() has seen, GPUs' first. */
  backends(): NativeBackend[];
  /** Works before start(); asked once, which may take some hundred milliseconds. */
  nvidiaDriver(): NativeNvidiaDriver;
  host(): NativeHost;
}
