// A model with an engine of one slot, as the commands that generate open it. It owns both
// until it is closed.
import { judgeReference } from "../engine/model-path.js";
import {
  type Engine,
  embeddedModelPath,
  type LoadProgress,
  loadModel,
  type Model,
  type PlacementOptions,
} from "../index.js";
import { hubSettings } from "../models/hub-environment.js";
import { choiceSentence } from "../models/local-model.js";
import { obtainModel } from "../models/obtain.js";
import { type ModelFlags, placementOf } from "./flags.js";
import { LoadingLine } from "./loading-line.js";

/** What a command may add to the load. */
export interface Opening {
  /** Cancels the load. */
  readonly signal: AbortSignal;
  /** Told the fraction loaded. */
  readonly onProgress?: (fraction: number, progress: LoadProgress) => void;
  /** As ModelOptions.chatTemplate. */
  readonly chatTemplate?: string | undefined;
}

/** An open model; close it once. */
export interface OpenedModel {
  readonly model: Model;
  readonly engine: Engine;
  close(): Promise<void>;
}

/**
 * @param path of the model; undefined: the embedded story model
 * @throws InferenceError as loadModel() and createEngine() do; nothing stays open then
 */
export async function openModel(
  path: string | undefined,
  flags: ModelFlags,
  opening: Opening,
): Promise<OpenedModel> {
  const here = path === undefined ? embeddedModelPath() : await fetched(path, opening.signal);
  const model = await loadModel(here, { ...placementOf(flags), ...opening });
  try {
    const engine = await createEngine(model, flags, opening.signal);
    const close = async () => {
      await engine.close();
      await model.close();
    };
    return { model, engine, close };
  } catch (thrown) {
    await model.close();
    throw thrown;
  }
}

async function createEngine(model: Model, flags: ModelFlags, signal: AbortSignal): Promise<Engine> {
  const { draftModel: path, contextLength, threads } = flags;
  const draftModel =
    path === undefined
      ? undefined
      : await loadModel(await fetched(path, signal), { ...draftPlacement(flags), signal });
  try {
    const speculation = draftModel !== undefined && { draftModel };
    return await model.createEngine({ slots: 1, contextLength, threads, speculation });
  } finally {
    await draftModel?.close(); // the engine keeps its weights
  }
}

/** A draft model lies where its target does; a number of layers or shares were the target's. */
function draftPlacement(flags: ModelFlags): PlacementOptions {
  const { device, gpuLayers } = flags;
  return gpuLayers === 0 ? { device, gpuLayers } : { device };
}

/**
 * Where a reference's model lies, once it is downloaded; tells which file was taken of several,
 * and how far a download is. What is a path stays as it was typed, for the loader's sentences.
 */
export async function fetched(given: string, signal: AbortSignal): Promise<string> {
  const reference = judgeReference("loadModel()", given);
  if (reference.type === "synthetic") return given;
  const line = new LoadingLine(given, "downloading");
  try {
    const found = await obtainModel(reference, {
      settings: hubSettings,
      signal,
      onProgress: (progress) => line.showBytes(progress),
      onNotice: (sentence) => line.tell(sentence),
    });
    const choice = choiceSentence(given, found);
    if (choice !== undefined) line.tell(choice);
    return reference.type === "path" && found.file === undefined ? given : found.path;
  } finally {
    line.erase();
  }
}
