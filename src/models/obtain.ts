// A reference's model on this machine: found where it lies, else pulled into the hub's cache.
// The one way from a reference to a path, for loadModel(), the commands and the worker.
import { InferenceError } from "../errors.js";
import { kindOf } from "./folder-files.js";
import { pull } from "./hub/pull.js";
import { fetchedUrl, pathOfUrl, pullUrl } from "./hub/pull-url.js";
import type { PullControl } from "./hub/remote-file.js";
import type { FoundModel } from "./hub-cache.js";
import type { HubSettings } from "./hub-environment.js";
import { type HubReference, hubReferenceText } from "./hub-reference.js";
import { findAtPath, findBelow, findRepository, notInFolders } from "./local-model.js";
import type { AddressReference, ModelReference, PathReference } from "./reference.js";
import { type WantedFiles, wantedFiles } from "./wanted-files.js";

/** A reference to weights that lie somewhere: all but synthetic ones. */
export type StoredReference = Exclude<ModelReference, { readonly type: "synthetic" }>;

/** How a model is looked for. */
export interface ObtainOptions extends PullControl {
  /** The hub's settings; asked for where a reference needs them. */
  readonly settings: () => HubSettings;
  /**
   * Looked through before the hub's cache, as caches and as folders of models; where it is
   * given, a text that is no path is looked for there, and owner/name may name a repository.
   */
  readonly folders?: readonly string[] | undefined;
  /** False: a model that is not here is an error, which says how to fetch it. Default true. */
  readonly download?: boolean | undefined;
}

/** A model that is here now. */
export interface ObtainedModel extends FoundModel {
  /** Whether bytes of it were downloaded for this call. */
  readonly downloaded: boolean;
}

/**
 * @throws InferenceError (rejects) MODEL_NOT_FOUND, MODEL_FORMAT_UNSUPPORTED, and those of pull()
 */
export async function obtainModel(
  reference: StoredReference,
  options: ObtainOptions,
): Promise<ObtainedModel> {
  const found = reference.type === "address" ? undefined : findHere(reference, options);
  if (found !== undefined) return { ...found, downloaded: false };
  switch (reference.type) {
    case "address":
      return fromAddress(reference, options);
    case "hub":
      return fromHub(reference, options);
    default:
      return options.folders !== undefined && reference.repository !== undefined
        ? fromHub(reference.repository, options)
        : fromPath(reference, options);
  }
}

/**
 * Finds a model without the network, at once.
 * @returns undefined where it would have to be downloaded, or nothing lies at its path
 * @throws InferenceError MODEL_NOT_FOUND, MODEL_FORMAT_UNSUPPORTED: a folder without a model
 */
export function findHere(reference: StoredReference, options: ObtainOptions): FoundModel | undefined {
  if (reference.type === "address") return addressHere(reference, options);
  if (reference.type === "hub") return findRepository(reference, lookedIn(options)).found;
  const atPath = findAtPath(reference.path);
  if (atPath !== undefined || options.folders === undefined) return atPath;
  const below = findBelow(reference, options.folders);
  if (below !== undefined || reference.repository === undefined) return below;
  return findRepository(reference.repository, lookedIn(options)).found;
}

/** Whether the server has a newer one is not asked. */
function addressHere({ url }: AddressReference, { settings }: ObtainOptions): FoundModel | undefined {
  const path = pathOfUrl(new URL(url), settings());
  return kindOf(path) === "file" ? { path, file: undefined, chosenAmong: 1 } : undefined;
}

/**
 * The sentence of a model that is not here and is not downloaded.
 * @param advice what to do
 */
export function notHere(reference: HubReference, options: ObtainOptions, advice: string): InferenceError {
  const { problem } = findRepository(reference, lookedIn(options));
  return notInFolders(reference, lookedIn(options), problem, advice);
}

function lookedIn({ folders = [], settings }: ObtainOptions): readonly string[] {
  return [...new Set([...folders, settings().cacheFolder])];
}

/** The command that fetches it elsewhere, or later. */
export function pullCommand(reference: HubReference): string {
  return `infernode pull ${hubReferenceText(reference)}`;
}

async function fromHub(reference: HubReference, options: ObtainOptions): Promise<ObtainedModel> {
  const settings = options.settings();
  if (settings.offline || options.download === false) {
    const why = settings.offline
      ? "HF_HUB_OFFLINE is set, so that nothing is downloaded: unset it, or run"
      : "nothing is downloaded with download: false: run";
    throw notHere(reference, options, `${why} ${pullCommand(reference)} first`);
  }
  const { request, wanted } = pullRequestOf(reference);
  const pulled = await pull(request, settings, options);
  const { format, chosenAmong } = wanted();
  const [first] = pulled.files;
  if (first === undefined) throw new InferenceError("DOWNLOAD_FAILED", "the pull brought no files");
  const downloaded = pulled.files.some(({ fetched }) => fetched);
  return format === "gguf"
    ? { path: first.location, file: first.path, chosenAmong, downloaded }
    : { path: pulled.folder, file: undefined, chosenAmong, downloaded };
}

/** What to ask pull() for, and the choice it has made by then. */
export function pullRequestOf(reference: HubReference) {
  let chosen: WantedFiles | undefined;
  const request: Parameters<typeof pull>[0] = {
    repository: reference.repository,
    revision: reference.revision,
    choose: (listed) => {
      const files = new Map(listed.map((file) => [file.path, file]));
      chosen = wantedFiles([...files.keys()], reference);
      return chosen.files.map((path) => files.get(path)).filter((file) => file !== undefined);
    },
  };
  const wanted = (): WantedFiles => {
    if (chosen === undefined) throw new Error("the pull asked for no choice");
    return chosen;
  };
  return { request, wanted };
}

async function fromAddress(reference: AddressReference, options: ObtainOptions): Promise<ObtainedModel> {
  const settings = options.settings();
  if (settings.offline || options.download === false) {
    const found = await fetchedAddress(reference, settings);
    if (found !== undefined) return { ...found, downloaded: false };
    const why = settings.offline ? "HF_HUB_OFFLINE is set" : "download is false";
    throw addressNotHere(
      reference,
      settings,
      `${why}, so that nothing is downloaded: ${pullAddress(reference)}`,
    );
  }
  const { url, sha256 } = reference;
  const address = sha256 === undefined ? url : `${url}#sha256=${sha256}`;
  const { path, fetched } = await pullUrl(address, settings, options);
  return { path, file: undefined, chosenAmong: 1, downloaded: fetched };
}

/** The file of an address that was fetched before; one of another digest is none. */
export async function fetchedAddress(
  { url, sha256 }: AddressReference,
  settings: HubSettings,
): Promise<(FoundModel & { readonly sha256: string }) | undefined> {
  const found = await fetchedUrl(new URL(url), settings);
  if (found === undefined || (sha256 !== undefined && found.sha256 !== sha256)) return undefined;
  return { path: found.path, file: undefined, chosenAmong: 1, sha256: found.sha256 };
}

/** An address as sentences show it: queries may hold secrets. */
function shownAddress({ url }: AddressReference): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** The advice to fetch an address elsewhere, or later. */
export function pullAddress(reference: AddressReference): string {
  return `run infernode pull ${shownAddress(reference)} first`;
}

/** The error of an address whose file is not here. @param advice what to do */
export function addressNotHere(
  reference: AddressReference,
  { cacheFolder }: Pick<HubSettings, "cacheFolder">,
  advice: string,
): InferenceError {
  return new InferenceError(
    "MODEL_NOT_FOUND",
    `the model ${shownAddress(reference)} is not in ${cacheFolder}; ${advice}`,
  );
}

/** Without folders the loader says what is wrong with a path; it knows the system's reason. */
function fromPath(reference: PathReference, { folders }: ObtainOptions): ObtainedModel {
  if (folders === undefined) {
    return { path: reference.path, file: undefined, chosenAmong: 1, downloaded: false };
  }
  throw new InferenceError(
    "MODEL_NOT_FOUND",
    `the model "${reference.text}" is no file and lies in none of ${folders.join(", ")}; ` +
      "put its GGUF file there, name its path, or name a repository of the hub as owner/name",
  );
}
