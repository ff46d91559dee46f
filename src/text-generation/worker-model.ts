// The model that MODEL_NAME names, on this machine: a path, the network volume, the
// platform's cache, else pulled from the hub before the first job is taken, with lines in
// the log. It says where a download would outlast the platform's patience.
import { basename, resolve } from "node:path";
import { InferenceError } from "../errors.js";
import { embeddedModelPath } from "../models/embedded.js";
import { kindOf } from "../models/folder-files.js";
import { type HubSettings, hubSettings } from "../models/hub-environment.js";
import { type HubReference, isRevision } from "../models/hub-reference.js";
import { choiceSentence } from "../models/local-model.js";
import { obtainModel, type StoredReference } from "../models/obtain.js";
import { type ModelReference, parseReference } from "../models/reference.js";
import type { TextGenerationConfig } from "./config.js";
import { DownloadLog, type Say } from "./download-log.js";
import { type Environment, textOf, wrong } from "./environment.js";

/** A model that was found or pulled. */
export interface WorkerModel {
  /** For loadModel(). */
  readonly path: string;
  /** What answers call it: the reference, never a path. */
  readonly name: string;
}

/** What the configuration says about the model. */
export type ModelConfig = Pick<TextGenerationConfig, "model" | "folders" | "revision">;

/**
 * @param environment of the worker: the hub's variables, and the platform's
 * @throws InferenceError (rejects) INVALID_OPTION, MODEL_NOT_FOUND, MODEL_FORMAT_UNSUPPORTED,
 *   those of a pull, CANCELLED
 */
export async function workerModel(
  { model, folders, revision }: ModelConfig,
  environment: Environment,
  say: Say,
  signal?: AbortSignal,
): Promise<WorkerModel> {
  if (model === undefined) return { path: embeddedModelPath(), name: "tinytale" };
  const settings = () => workerHubSettings(environment);
  const reference = withRevision(parseModelName(model, settings), revision);
  if (reference.type === "synthetic") return { path: reference.text, name: reference.text };
  const name = servedName(model, reference);
  const log = new DownloadLog(model, environment, say);
  const found = await obtainModel(reference, { settings, folders, signal, ...log.control });
  if (found.downloaded) log.finish();
  const choice = choiceSentence(model, found);
  if (choice !== undefined) say("info", `${choice}.`);
  return { path: found.path, name };
}

/** @throws InferenceError INVALID_OPTION, which names the variable */
function parseModelName(model: string, settings: () => HubSettings): ModelReference {
  try {
    return parseReference(
      "MODEL_NAME",
      model,
      /^https?:/i.test(model) ? { endpoint: settings().endpoint } : {},
    );
  } catch (thrown) {
    if (!(thrown instanceof InferenceError) || thrown.path === undefined) throw thrown;
    throw new InferenceError(
      "INVALID_OPTION",
      thrown.sentence(() => "MODEL_NAME"),
    );
  }
}

/** MODEL_REVISION is of the repository that MODEL_NAME names. */
function withRevision(reference: ModelReference, revision: string | undefined): ModelReference {
  if (revision === undefined) return reference;
  if (!isRevision(revision)) throw wrong("MODEL_REVISION", "a branch, a tag or a commit", revision);
  switch (reference.type) {
    case "hub":
      return revised(reference, revision);
    case "path": {
      const { repository } = reference;
      return { ...reference, repository: repository && revised(repository, revision) };
    }
    default:
      return reference;
  }
}

function revised(repository: HubReference, revision: string): HubReference {
  if (repository.revision === undefined || repository.revision === revision) {
    return { ...repository, revision };
  }
  throw wrong("MODEL_REVISION", `the revision in MODEL_NAME, "${repository.revision}", or unset`, revision);
}

/** A file's and a folder's own name; of others the reference as it was written. */
function servedName(given: string, reference: StoredReference): string {
  if (reference.type === "hub") return given;
  if (reference.type === "address") return fileName(decodeURIComponent(new URL(reference.url).pathname));
  switch (kindOf(reference.path)) {
    case "file":
      return fileName(reference.path);
    case "folder":
      return basename(resolve(reference.path));
    default:
      return given;
  }
}

function fileName(path: string): string {
  return basename(path)
    .replace(/-00001-of-\d{5}\.gguf$/i, "")
    .replace(/\.gguf$/i, "");
}

/**
 * The hub's settings of a worker. Downloads go where DOWNLOAD_DIR says, as in vLLM, else to
 * Hugging Face's cache; where no variable names that, to the network volume if there is one,
 * so that the next worker finds the model.
 */
export function workerHubSettings(environment: Environment): HubSettings {
  const settings = hubSettings(environment);
  const named = textOf(environment, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME");
  const volume = textOf(environment, "BASE_PATH") ?? "/runpod-volume";
  const onVolume = named === undefined && kindOf(volume) === "folder";
  const cacheFolder =
    textOf(environment, "DOWNLOAD_DIR") ??
    (onVolume ? `${volume}/huggingface-cache/hub` : settings.cacheFolder);
  return { ...settings, cacheFolder };
}
