// From what a caller names to what the addon loads: a path, downloaded first where it must
// be, or a synthetic shape. Used by loadModel(), inspectModel() and for LoRA adapters.
import { kindOf } from "../models/folder-files.js";
import type { PullProgress } from "../models/hub/remote-file.js";
import { hubSettings } from "../models/hub-environment.js";
import {
  addressNotHere,
  findHere,
  notHere,
  obtainModel,
  pullAddress,
  pullCommand,
} from "../models/obtain.js";
import type { ModelReference } from "../models/reference.js";
import { judgeSynthetic } from "../models/synthetic.js";
import type { NativeModelOptions } from "../native.js";
import type { NativeCheckpointOptions } from "../native-checkpoint.js";

/** What the addon loads. */
export type ModelLocation = Pick<NativeModelOptions, "path" | "synthetic">;

/** The checkpoint options of a location that is a directory; null: of a file, or synthetic. */
export function checkpointAt<Options extends NativeCheckpointOptions>(
  { path, synthetic }: ModelLocation,
  options: Options,
): Options | null {
  return synthetic === null && kindOf(path) === "folder" ? options : null;
}

/** How a model is fetched where it is not here. */
export interface FetchControl {
  readonly signal?: AbortSignal | undefined;
  /** False: nothing is downloaded. */
  readonly download: boolean;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/**
 * Finds a model on this machine, or downloads it.
 * @throws InferenceError (rejects) as obtainModel() and judgeSynthetic() do
 */
export async function locateModel(
  call: string,
  reference: ModelReference,
  control: FetchControl,
): Promise<ModelLocation & { readonly downloaded: boolean }> {
  if (reference.type === "synthetic")
    return { ...syntheticLocation(call, reference.text), downloaded: false };
  const { path, downloaded } = await obtainModel(reference, { settings: hubSettings, ...control });
  return { path, synthetic: null, downloaded };
}

/**
 * Finds a model on this machine, at once.
 * @throws InferenceError INVALID_OPTION, MODEL_NOT_FOUND, MODEL_FORMAT_UNSUPPORTED
 */
export function locateHere(call: string, reference: ModelReference): ModelLocation {
  if (reference.type === "synthetic") return syntheticLocation(call, reference.text);
  const options = { settings: hubSettings };
  const found = findHere(reference, options);
  if (found !== undefined) return { path: found.path, synthetic: null };
  switch (reference.type) {
    case "path":
      return { path: reference.path, synthetic: null };
    case "hub":
      throw notHere(reference, options, `${call} downloads nothing: run ${pullCommand(reference)} first`);
    default:
      throw addressNotHere(reference, hubSettings(), `${call} downloads nothing: ${pullAddress(reference)}`);
  }
}

function syntheticLocation(call: string, text: string): ModelLocation {
  return { path: text, synthetic: judgeSynthetic(call, text) };
}
