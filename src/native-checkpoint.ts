// The addon's calls about Hugging Face checkpoints, as TypeScript sees them; see native.ts.

/** How a Hugging Face checkpoint is packed. */
export interface NativeCheckpointOptions {
  readonly profile: string;
  /** Of plain weights; null: as stored. */
  readonly plainType: string | null;
  /** llama.cpp's name of the pre-tokenizer; null: detected. */
  readonly preTokenizer: string | null;
  /** 0: the machine's cores. */
  readonly threads: number;
}

/** What became of one tensor of a checkpoint. */
export interface CheckpointTensor {
  /** GGUF's name. */
  readonly name: string;
  /** What it was, such as "AWQ gemm, 4 bits, groups of 128, asymmetric" or "bf16". */
  readonly from: string;
  /** ggml type name it was packed to. */
  readonly type: string;
  /** How many numbers it has. */
  readonly weights: number;
  /** Its packed size. */
  readonly bytes: number;
  /** The largest difference of a quantized weight, in steps of its group's scale. */
  readonly worstError: number;
  /** Root mean square of these differences. */
  readonly rmsError: number;
}

/** What a load from safetensors tells. */
export interface CheckpointReport {
  /** What the linear weights were. */
  readonly description: string;
  /** Sentences to know, such as that the context is limited to a sliding window. */
  readonly notes: readonly string[];
  /** What became of each tensor. */
  readonly tensors: readonly CheckpointTensor[];
}

/** Everything that decides the bytes of a Hugging Face checkpoint's GGUF file, and its threads. */
export interface NativePacking extends NativeCheckpointOptions {
  /** Plain BF16 weights stay BF16; false: they become F16. */
  readonly keepBf16: boolean;
}

/** A checkpoint that was written as a GGUF file. */
export interface NativePackedCheckpoint extends CheckpointReport {
  /** Of the file. */
  readonly bytes: number;
}

/** A checkpoint that is to be written as a GGUF file. */
export interface NativePackCheckpoint {
  /** Absolute path of the checkpoint's directory. */
  readonly directory: string;
  /** Absolute path of the GGUF file; its folder exists. */
  readonly target: string;
  readonly packing: NativePacking;
  /** Text values the header gets besides its own. */
  readonly values: Readonly<Record<string, string>>;
  /** Fraction 0..1, called on the JS thread, at most about 50 times. */
  readonly onProgress: ((fraction: number) => void) | null;
}

export interface NativePack {
  readonly promise: Promise<NativePackedCheckpoint>;
  cancel(): void;
}

/** The part of the addon that packs checkpoints. */
export interface NativePacker {
  /** Writes a Hugging Face checkpoint as a GGUF file, whole or not at all. */
  packCheckpoint(options: NativePackCheckpoint): NativePack;
}

/** A tensor of a GGUF file. */
export interface NativeTensorInfo {
  /** As in the file, such as "blk.0.attn_q.weight". */
  readonly name: string;
  /** ggml type name, e.g. "q8_0". */
  readonly type: string;
  /** ggml order: the first number is the row length. */
  readonly shape: readonly number[];
  /** Its size in the file. */
  readonly bytes: number;
}
