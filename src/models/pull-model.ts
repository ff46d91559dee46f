// pullModel(): brings what a reference names into the cache, asking the hub even where the
// model is there, so that a branch that moved on is followed; offline, what is there counts.
// Nothing is loaded.
import { relative, sep } from "node:path";
import { z } from "zod";
import { abortSignal, callback, judge } from "../engine/judge.js";
import { judgeReference } from "../engine/model-path.js";
import { show } from "../engine/shown.js";
import { invalidOption } from "../errors.js";
import { pull, pullUrl } from "./hub/pull.js";
import type { PullProgress } from "./hub/remote-file.js";
import { findInHubCache } from "./hub-cache.js";
import { type HubSettings, hubSettings } from "./hub-environment.js";
import { type HubReference, isRepositoryFile, isRevision } from "./hub-reference.js";
import { addressNotHere, fetchedAddress, notHere, pullRequestOf } from "./obtain.js";
import type { AddressReference, ModelReference } from "./reference.js";

/** Options of pullModel(). */
export interface PullModelOptions {
  /** A branch, a tag or a commit; default: what the reference says, else main. */
  readonly revision?: string | undefined;
  /** A type such as "Q4_K_M" that the GGUF file's name must have; default: what the reference says, else by preference. */
  readonly quantization?: string | undefined;
  /** A .gguf file's path in the repository; not together with `quantization`. */
  readonly file?: string | undefined;
  /** The folder of Hugging Face's cache; default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. */
  readonly cacheFolder?: string | undefined;
  /** Told how far the pull is, in bytes; some five times a second at most. */
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Told in a sentence what is no failure, such as a request that is tried again. */
  readonly onNotice?: ((sentence: string) => void) | undefined;
  /** Ends the pull with CANCELLED; what was fetched is kept, and the next pull goes on from there. */
  readonly signal?: AbortSignal | undefined;
}

/** A model in the cache. */
export interface PulledModel {
  /** For loadModel(): a GGUF file, of a split model its first part, or a checkpoint's folder. */
  readonly path: string;
  /** The commit of the repository, 40 hexadecimal digits; undefined for an address. */
  readonly commit: string | undefined;
  /** SHA-256 of the file at an address, 64 hexadecimal digits; undefined for a repository. */
  readonly sha256: string | undefined;
  /** Bytes of all files of the model; undefined for an address, and where HF_HUB_OFFLINE forbids to ask the hub. */
  readonly bytes: number | undefined;
  /** How many GGUF models there were to choose from where none was named; else 1. */
  readonly chosenAmong: number;
  /** False: everything was in the cache already. */
  readonly downloaded: boolean;
}

const text = () => z.string("a string").min(1, "a string that is not empty");
const shape = z.strictObject({
  revision: text().optional(),
  quantization: text().optional(),
  file: text().optional(),
  cacheFolder: text().optional(),
  onProgress: callback<(progress: PullProgress) => void>().optional(),
  onNotice: callback<(sentence: string) => void>().optional(),
  signal: abortSignal().optional(),
});

const call = "pullModel()";

/**
 * Downloads a model into the cache that Hugging Face's tools share, every file verified by the
 * hub's digest, and goes on where an earlier pull ended. With HF_HUB_OFFLINE it finds what is there. HF_TOKEN, HF_ENDPOINT, HF_HOME,
 * HF_HUB_CACHE, HTTPS_PROXY and NO_PROXY are read.
 *
 * @param reference hf:owner/name[:file-or-type][\@revision], owner/name, or the https:// address
 *   of a GGUF file, whose #sha256= is verified
 * @throws InferenceError (rejects) INVALID_OPTION, MODEL_NOT_FOUND, MODEL_ACCESS_DENIED,
 *   MODEL_FORMAT_UNSUPPORTED, DOWNLOAD_FAILED, DISK_FULL, MODEL_UNREADABLE (the cache cannot be
 *   written), CANCELLED
 */
export async function pullModel(reference: string, options: PullModelOptions = {}): Promise<PulledModel> {
  const judged = judge(call, shape, options);
  const parsed = pullable(judgeReference(call, reference), reference);
  const found = hubSettings();
  const { cacheFolder = found.cacheFolder, onProgress, onNotice, signal } = judged;
  const settings = { ...found, cacheFolder };
  const control = { onProgress, onNotice, signal };
  if (parsed.type === "hub") return pullRepository(selected(parsed, judged), settings, control);
  const { revision, quantization, file } = judged;
  if ((revision ?? quantization ?? file) !== undefined) {
    throw invalidOption(call, ["revision"], "and a choice of files are for repositories, not for addresses");
  }
  if (settings.offline) return addressBefore(parsed, settings);
  const address = parsed.sha256 === undefined ? parsed.url : `${parsed.url}#sha256=${parsed.sha256}`;
  const { path, sha256, fetched } = await pullUrl(address, settings, control);
  return { path, sha256, commit: undefined, bytes: undefined, chosenAmong: 1, downloaded: fetched };
}

/** What can be pulled: owner/name too, though it might be a path. */
function pullable(parsed: ModelReference, given: string) {
  if (parsed.type === "hub" || parsed.type === "address") return parsed;
  if (parsed.type === "path" && parsed.repository !== undefined) return parsed.repository;
  throw invalidOption(
    call,
    ["path"],
    `must be hf:owner/name or the https:// address of a GGUF file, got ${show(given)}`,
  );
}

/** The reference with the options in place of what it says. */
function selected(reference: HubReference, options: PullModelOptions): HubReference {
  const { revision = reference.revision, quantization, file } = options;
  if (revision !== undefined && !isRevision(revision)) {
    throw invalidOption(call, ["revision"], `must be a branch, a tag or a commit, got ${show(revision)}`);
  }
  if (file !== undefined && !isRepositoryFile(file)) {
    throw invalidOption(call, ["file"], `must be a .gguf file's path in the repository, got ${show(file)}`);
  }
  if (file !== undefined && quantization !== undefined) {
    throw invalidOption(call, ["file"], "and a quantization are two ways to choose: name one");
  }
  if (file === undefined && quantization === undefined) return { ...reference, revision };
  return { ...reference, revision, file, quantization };
}

async function pullRepository(
  reference: HubReference,
  settings: Parameters<typeof pull>[1],
  control: Parameters<typeof pull>[2],
): Promise<PulledModel> {
  if (settings.offline) return pulledBefore(reference, settings);
  const { request, wanted } = pullRequestOf(reference);
  const { folder, commit, files } = await pull(request, settings, control);
  const { format, chosenAmong } = wanted();
  return {
    path: format === "gguf" ? (files[0]?.location ?? folder) : folder,
    commit,
    sha256: undefined,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    chosenAmong,
    downloaded: files.some(({ fetched }) => fetched),
  };
}

const offlineAdvice = "HF_HUB_OFFLINE is set, so that nothing is downloaded: unset it to fetch the model";

/** What an earlier pull, or another program, left of a repository in the cache. */
function pulledBefore(reference: HubReference, settings: HubSettings): PulledModel {
  const { found } = findInHubCache(settings.cacheFolder, reference);
  if (found === undefined) throw notHere(reference, { settings: () => settings }, offlineAdvice);
  const { path, chosenAmong } = found;
  const [, , commit] = relative(settings.cacheFolder, path).split(sep);
  return { path, commit, chosenAmong, sha256: undefined, bytes: undefined, downloaded: false };
}

async function addressBefore(reference: AddressReference, settings: HubSettings): Promise<PulledModel> {
  const found = await fetchedAddress(reference, settings);
  if (found === undefined) throw addressNotHere(reference, settings, offlineAdvice);
  const { path, sha256 } = found;
  return { path, sha256, commit: undefined, bytes: undefined, chosenAmong: 1, downloaded: false };
}
