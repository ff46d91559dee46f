// Writes a Hugging Face checkpoint as a GGUF file: the native call with an AbortSignal and
// errors of this package. The file is whole or not there.
import { native } from "../native-addon.js";
import type { NativePackedCheckpoint, NativePacking } from "../native-checkpoint.js";
import { doFileWork, type FileWorkCalls } from "./file-work.js";

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
export function packCheckpoint(
  { directory, target, packing, values = {} }: PackingOrder,
  calls: FileWorkCalls = {},
): Promise<NativePackedCheckpoint> {
  const heard = calls.onProgress !== undefined;
  const start = (report: (fraction: number) => void) =>
    native().packCheckpoint({ directory, target, packing, values, onProgress: heard ? report : null });
  return doFileWork({ name: "packing the model", target, start }, calls);
}
