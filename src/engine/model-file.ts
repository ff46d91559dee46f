// A GGUF file's header, read without loading weights: what `infernode inspect`
// shows first, and a cheap way to judge a file before loading it.

import { native } from "../native-addon.js";
import type { NativeTensorInfo } from "../native-checkpoint.js";
import { outlinedCheckpoint } from "./checkpoint-options.js";
import { jsonMetadata, type Metadata } from "./metadata.js";
import { checkpointAt, locateHere } from "./model-location.js";
import { judgeReference, modelFailure } from "./model-path.js";

/** What a GGUF file's header says. */
export interface ModelFile {
  /** Version of the GGUF format. */
  readonly version: number;
  /** Size of the file; of a split model, of its first part. */
  readonly fileBytes: number;
  /** The header's values by key. */
  readonly metadata: Metadata;
  /** What the file holds, in its order. */
  readonly tensors: readonly NativeTensorInfo[];
}

/**
 * Reads a GGUF file's header, that of a `synthetic:` model, or the one that a Hugging Face
 * directory gets when it is loaded without options. Blocks for as long as that takes:
 * milliseconds, and up to a second where a directory has a vocabulary of 200,000 tokens.
 * Weights and scales are not read: whether quantized weights with zero points become q4_k or
 * q4_1 depends on the scales, and here on the config alone; `model.info.checkpoint` tells what a
 * load has chosen. Nothing is downloaded.
 * @param path as loadModel() takes it; hf:owner/name must be in the cache
 * @throws InferenceError INVALID_OPTION and the MODEL_ codes of a bad file
 */
export function inspectModel(path: string | URL): ModelFile {
  const reference = judgeReference("inspectModel()", path);
  const source = locateHere("inspectModel()", reference);
  try {
    const { metadata, ...file } = native().inspect(
      source.path,
      source.synthetic,
      checkpointAt(source, outlinedCheckpoint),
    );
    return { ...file, metadata: jsonMetadata(metadata) };
  } catch (thrown) {
    throw modelFailure(thrown, path);
  }
}
