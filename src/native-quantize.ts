// The addon's quantizeCheckpoint() as TypeScript sees it; the rest is in native.ts and native-checkpoint.ts.
import type { NativeCheckpointOptions, NativePackedCheckpoint } from "./native-checkpoint.js";

/** A plain checkpoint that llama.cpp's quantizer is to write. */
export interface NativeQuantizeCheckpoint {
  /** Absolute path of the checkpoint's directory. */
  readonly directory: string;
  /** Absolute path of the GGUF file; its folder exists. */
  readonly target: string;
  /** Such as "q4_k_m". */
  readonly type: string;
  /** Of the header alone: weights are quantized from what is stored. */
  readonly checkpoint: NativeCheckpointOptions;
  /** Text values the header gets besides its own. */
  readonly values: Readonly<Record<string, string>>;
  /** Fraction 0..1, called on the JS thread, at most about 50 times. */
  readonly onProgress: ((fraction: number) => void) | null;
}

export interface NativeQuantizing {
  /** Types and bytes are those of the quantized file; errors are not measured, and 0. */
  readonly promise: Promise<NativePackedCheckpoint>;
  cancel(): void;
}

/** The part of the addon that quantizes. */
export interface NativeQuantizer {
  /** Quantizes a plain checkpoint with llama.cpp's quantizer, into a whole file or none. */
  quantizeCheckpoint(options: NativeQuantizeCheckpoint): NativeQuantizing;
  /** Every type that quantizeCheckpoint() takes. */
  quantizeTypes(): readonly string[];
}
