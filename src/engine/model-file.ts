// A GGUF file's header, read without loading weights: what `infernode inspect`
// shows first, and a cheap way to judge a file before loading it.
import { toInferenceError } from "../errors.js";
import { type NativeMetadataValue, type NativeTensorInfo, native } from "../native.js";
import { judgePath } from "./options.js";

/** What a GGUF file's header says. */
export interface ModelFile {
  /** Version of the GGUF format. */
  readonly version: number;
  readonly fileBytes: number;
  readonly metadata: Readonly<Record<string, NativeMetadataValue>>;
  readonly tensors: readonly NativeTensorInfo[];
}

/**
 * Reads a GGUF file's header. Blocks for as long as that takes, milliseconds.
 * @throws InferenceError INVALID_OPTION and the MODEL_ codes of a bad file
 */
export function inspectModel(path: string | URL): ModelFile {
  const absolute = judgePath("inspectModel()", path);
  try {
    return native().inspect(absolute);
  } catch (thrown) {
    throw toInferenceError(thrown);
  }
}
