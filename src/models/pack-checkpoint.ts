// Writes a Hugging Face checkpoint as a GGUF file: the native call with an AbortSignal and
// errors of this package. The file is whole or not there.
import { InferenceError, toInferenceError } from "../errors.js";
import { native } from "../native-addon.js";
import type { NativePack, NativePackedCheckpoint, NativePacking } from "../native-checkpoint.js";

/** What is packed, how and where to. */
export interface PackingOrder {
  /** Absolute path of the checkpoint. */
  readonly directory: string;
  /** Absolute path of the GGUF file; its folder exists, a file of that name is replaced. */
  readonly target: string;
  readonly packing: NativePacking;
  /** Text values for its header. */
  readonly values?: Readonly<Record<string, string>>;
}

/** How a caller follows and ends the work. */
export interface PackingCalls {
  /** Called with the fraction done, 0 to 1, at most about 50 times. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
  /** Ends the work; nothing stays on the disk. */
  readonly signal?: AbortSignal;
}

/** Every choice left to the packer. */
export const defaultPacking: NativePacking = Object.freeze({
  profile: "auto",
  plainType: null,
  preTokenizer: null,
  keepBf16: false,
  threads: 0,
});

/**
 * Writes the file.
 * @throws InferenceError (rejects) DISK_FULL, FILE_NOT_WRITABLE, CANCELLED, and the MODEL_
 * codes of a bad checkpoint
 */
export async function packCheckpoint(
  order: PackingOrder,
  { onProgress, signal }: PackingCalls = {},
): Promise<NativePackedCheckpoint> {
  const cancelled = (cause?: unknown) =>
    new InferenceError("CANCELLED", "packing the model was cancelled", { cause });
  if (signal?.aborted) throw cancelled(signal.reason);
  const { directory, target, packing, values = {} } = order;
  let running: NativePack | undefined;
  const cancel = () => running?.cancel();
  let thrownByCaller: { readonly value: unknown } | undefined;
  const report = (fraction: number) => {
    if (thrownByCaller !== undefined || signal?.aborted) return;
    try {
      onProgress?.(fraction);
    } catch (value) {
      thrownByCaller = { value };
      cancel();
    }
  };
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    running = native().packCheckpoint({
      directory,
      target,
      packing,
      values,
      onProgress: onProgress === undefined ? null : report,
    });
    const packed = await running.promise;
    if (thrownByCaller === undefined) return packed;
    throw thrownByCaller.value;
  } catch (thrown) {
    if (thrownByCaller !== undefined) throw thrownByCaller.value;
    if (signal?.aborted) throw cancelled(signal.reason);
    throw toInferenceError(thrown);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}
