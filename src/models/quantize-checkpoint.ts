// Quantizes a plain Hugging Face checkpoint with llama.cpp's own quantizer into a GGUF file:
// the native call with an AbortSignal and errors of this package. Both files it needs, plain
// and quantized, count in its check of free space; no exit leaves the plain one.
import { InferenceError, toInferenceError } from "../errors.js";
import { native } from "../native-addon.js";
import type { NativeCheckpointOptions, NativePackedCheckpoint } from "../native-checkpoint.js";
import type { NativeQuantizing } from "../native-quantize.js";
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

/** How a caller follows and ends the work. */
export interface QuantizeCalls {
  /** Called with the fraction done, 0 to 1, at most about 50 times. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
  /** Ends the work before the next tensor; nothing stays on the disk. */
  readonly signal?: AbortSignal;
}

/**
 * Writes the file.
 * @throws InferenceError (rejects) INVALID_OPTION where the weights are quantized already or the
 * type needs an importance matrix; DISK_FULL, FILE_NOT_WRITABLE, CANCELLED, OUT_OF_MEMORY, and the MODEL_ codes of
 * a bad checkpoint
 */
export async function quantizeCheckpoint(
  { directory, target, type, checkpoint, values = {} }: QuantizeOrder,
  { onProgress, signal }: QuantizeCalls = {},
): Promise<NativePackedCheckpoint> {
  const cancelled = () =>
    new InferenceError("CANCELLED", "quantizing the model was cancelled", { cause: signal?.reason });
  if (signal?.aborted) throw cancelled();
  let running: NativeQuantizing | undefined;
  const cancel = () => running?.cancel();
  let thrownByListener: { readonly value: unknown } | undefined;
  const report = (fraction: number) => {
    if (thrownByListener !== undefined || signal?.aborted) return;
    try {
      onProgress?.(fraction);
    } catch (value) {
      thrownByListener = { value };
      cancel();
    }
  };
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    running = native().quantizeCheckpoint({
      directory,
      target,
      type,
      checkpoint,
      values,
      onProgress: report,
    });
    const quantized = await running.promise;
    if (thrownByListener === undefined) return quantized;
    throw thrownByListener.value;
  } catch (thrown) {
    if (thrownByListener !== undefined) throw thrownByListener.value;
    if (signal?.aborted) throw cancelled();
    throw toInferenceError(thrown);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}
