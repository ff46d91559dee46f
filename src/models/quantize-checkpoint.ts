// Quantizes a plain Hugging Face checkpoint with llama.cpp's own quantizer into a GGUF file:
// the native call with an AbortSignal and errors of this package. Both files it needs, plain
// and quantized, count in its check of free space; no exit leaves the plain one.
import { native } from "../native-addon.js";
import type { NativeCheckpointOptions, NativePackedCheckpoint } from "../native-checkpoint.js";
import { doFileWork, type FileWorkCalls } from "./file-work.js";
import type { QuantizeType } from "./quantize-types.js";

/** What is quantized, to what and where to. */
export interface QuantizeOrder {
  /** Absolute path of the checkpoint, whose weights are plain. */
  readonly directory: string;
  /** Absolute path of the GGUF file; its folder exists, a file of that name is replaced. */
  readonly target: string;
  readonly type: QuantizeType;
  readonly checkpoint: NativeCheckpointOptions;
  /** Text values for its header. Default none. */
  readonly values?: Readonly<Record<string, string>>;
}

/**
 * Writes the file.
 * @throws InferenceError (rejects) INVALID_OPTION where the weights are quantized already or the
 * type needs an importance matrix; DISK_FULL, FILE_NOT_WRITABLE, CANCELLED, OUT_OF_MEMORY, and the MODEL_ codes of
 * a bad checkpoint
 */
export function quantizeCheckpoint(
  { directory, target, type, checkpoint, values = {} }: QuantizeOrder,
  calls: FileWorkCalls = {},
): Promise<NativePackedCheckpoint> {
  const start = (onProgress: (fraction: number) => void) =>
    native().quantizeCheckpoint({ directory, target, type, checkpoint, values, onProgress });
  return doFileWork({ name: "quantizing the model", target, start }, calls);
}
