// The addon's functions for plans as TypeScript sees them: memory from a model's headers, and
// how fast this machine's CPU multiplies.
import type { KvType, NativeMetadataValue, NativeModelOptions, NativeSyntheticShape } from "./native.js";
import type { NativeCheckpointOptions, NativeTensorInfo } from "./native-checkpoint.js";

/** Of a checkpoint whose files have their headers and zeros behind them. */
export interface NativeOutlineOptions extends NativeCheckpointOptions {
  readonly headersOnly: true;
}

/** A model, and engines whose memory is asked for. */
export interface NativeMeasure extends Pick<NativeModelOptions, "path" | "synthetic" | "checkpoint"> {
  readonly slots: readonly number[];
  readonly contextLength: number;
  readonly kvType: KvType;
}

/** Matrices to multiply for a measurement. */
export interface NativeMatrixProbe {
  /** ggml's type name. */
  readonly type: string;
  /** Inputs of a matrix. */
  readonly columns: number;
  /** Vectors multiplied at once, 1 to 512. */
  readonly batch: number;
  readonly threads: number;
  /** Of all matrices together; limited to 16 MiB to 256 MiB. */
  readonly bytes: number;
  /** Of one matrix, 1 to 65536; more where starting a multiplication takes long. */
  readonly rows: number;
  /** As devices() names it; "": the CPU. */
  readonly device: string;
}

/** What NVIDIA's driver says of power, through NVML. */
export interface NativeGpuPower {
  /** Why there is nothing to read; "": there is. */
  readonly problem: string;
  readonly gpus: readonly {
    readonly name: string;
    /** Its address on the PCI bus, such as "00000000:01:00.0". */
    readonly bus: string;
    /** Drawn now; null: the GPU does not tell. */
    readonly watts: number | null;
    /** Since the driver was loaded; null: the GPU has no counter. */
    readonly joules: number | null;
  }[];
}

/** A GGUF header, read or made. */
export interface NativeHeader {
  readonly metadata: Readonly<Record<string, NativeMetadataValue>>;
  readonly tensors: NativeTensorInfo[];
  readonly version: number;
  readonly fileBytes: number;
}

/** The part of the addon that reads headers, and what plans use besides. */
export interface NativePlanCalls {
  /** Metadata and tensors of a GGUF header, without loading weights. Throws with code. */
  inspect(
    path: string,
    synthetic: NativeSyntheticShape | null,
    checkpoint: NativeCheckpointOptions | null,
  ): NativeHeader;
  /** A worker thread's inspect(). Rejects with code. */
  inspectAsync(
    path: string,
    synthetic: NativeSyntheticShape | null,
    checkpoint: NativeCheckpointOptions | null,
  ): Promise<NativeHeader>;
  /**
   * Memory that engines would take, in the order of `slots`, from the model's headers alone, by
   * a worker thread. Rejects with code.
   */
  measure(options: NativeMeasure): Promise<
    {
      readonly weightBytes: number;
      readonly kvBytes: number;
      readonly computeBytes: number;
      readonly vocabularyBytes: number;
    }[]
  >;
  /** Seconds per weight and pass of a device of this machine, measured. Rejects with code. */
  probeMatrices(probe: NativeMatrixProbe): Promise<number>;
  /** NVML is loaded at the first call; works before start(). Rejects with code. */
  gpuPower(): Promise<NativeGpuPower>;
}
