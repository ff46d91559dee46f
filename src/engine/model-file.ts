// A GGUF file's header, read without loading weights: what `infernode inspect`
// shows first, and a cheap way to judge a file before loading it.
import { toInferenceError } from "../errors.js";
import { type NativeMetadataValue, type NativeTensorInfo, native } from "../native.js";
import { judgeModelPath } from "./options.js";

/** What a GGUF file's header says. */
export interface ModelFile {
  /** Version of the GGUF format. */
  readonly version: number;
  readonly fileBytes: number;
  readonly metadata: Readonly<Record<string, NativeMetadataValue>>;
  readonly tensors: readonly NativeTensorInfo[];
}

/**
 * Reads a GGUF file's header, or that of a `synthetic:` model. Blocks for as long as that takes, milliseconds.
 * @throws InferenceError INVALID_OPTION and the MODEL_ codes of a bad file
 */
export function inspectModel(path: string | URL): ModelFile {
  const source = judgeModelPath("inspectModel()", path);
  try {
    return native().inspect(source.path, source.synthetic);
  } catch (thrown) {
    throw toInferenceError(thrown);
  }
}
