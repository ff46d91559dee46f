// The cache that Hugging Face's tools share, read: models--owner--name/snapshots/COMMIT with
// links to blobs, refs/REVISION with the commit. The platforms' caches are laid out alike,
// with folders' names in any case of letters and sometimes without refs. Writes nothing.
import { statSync } from "node:fs";
import { join } from "node:path";
import { InferenceError } from "../errors.js";
import { emptyFilesBelow, filesBelow, kindOf, namesIn, smallText } from "./folder-files.js";
import type { HubReference } from "./hub-reference.js";
import { type Selection, type WantedFiles, wantedFiles } from "./wanted-files.js";

/** The revision that is meant where none is named. */
export const mainRevision = "main";

/** A model whose files are all there. */
export interface FoundModel {
  /** Absolute: the GGUF file, of a split model its first part, or the checkpoint's folder. */
  readonly path: string;
  /** The GGUF file in its repository or folder; undefined for a checkpoint, and for a file that was named by its path. */
  readonly file: string | undefined;
  /** How many GGUF models there are where a preference decided: worth telling; otherwise 1. */
  readonly chosenAmong: number;
}

/** What a look-up found, or why a repository that is there was not enough. */
export type LookUp =
  | { readonly found: FoundModel; readonly problem?: undefined }
  | { readonly found?: undefined; readonly problem: InferenceError | undefined };

/** The folder of a repository in a cache, whether it is there or not. */
export function repositoryFolderName(repository: string): string {
  return `models--${repository.replaceAll("/", "--")}`;
}

/** Looks a reference up in one cache folder. */
export function findInHubCache(cacheFolder: string, reference: HubReference): LookUp {
  const folder = entryLike(cacheFolder, repositoryFolderName(reference.repository));
  if (folder === undefined) return { problem: undefined };
  let problem: InferenceError | undefined;
  for (const snapshot of snapshots(folder, reference.revision)) {
    const looked = findInFolder(snapshot, reference);
    if (looked.found !== undefined) return looked;
    problem ??= looked.problem;
  }
  return { problem };
}

/** Looks for the selected model in a folder: a snapshot's, or any other. */
export function findInFolder(folder: string, selection: Selection): LookUp {
  const files = filesBelow(folder);
  let wanted: WantedFiles;
  try {
    wanted = wantedFiles(files, selection);
  } catch (thrown) {
    return { problem: emptyFileOf(folder, files, selection) ?? (thrown as InferenceError) };
  }
  const [first = ""] = wanted.files;
  const { chosenAmong } = wanted;
  if (wanted.format === "gguf") return { found: { path: join(folder, first), file: first, chosenAmong } };
  if (!hasAllShards(folder, files)) return { problem: undefined };
  return { found: { path: folder, file: undefined, chosenAmong } };
}

/** The error of a folder that would have the model if its empty files had content. */
function emptyFileOf(
  folder: string,
  files: readonly string[],
  selection: Selection,
): InferenceError | undefined {
  const empty = emptyFilesBelow(folder);
  try {
    const { files: wanted } = wantedFiles([...files, ...empty], selection);
    const [file = ""] = wanted.filter((each) => empty.includes(each));
    return new InferenceError(
      "MODEL_TRUNCATED",
      `${join(folder, file)} is empty: its download or copy did not finish; fetch it again`,
    );
  } catch {
    return undefined;
  }
}

/** A sharded checkpoint's index names its files; one that is missing was not downloaded yet. */
function hasAllShards(folder: string, files: readonly string[]): boolean {
  const text = smallText(join(folder, "model.safetensors.index.json"));
  if (text === undefined) return true;
  try {
    const { weight_map: map = {} } = JSON.parse(text) as { readonly weight_map?: Record<string, unknown> };
    return Object.values(map).every((file) => typeof file === "string" && files.includes(file));
  } catch {
    return true; // the loader has the sentence for a broken index
  }
}

/** A folder's entry of this name, in any case of letters; the exact one first. */
function entryLike(folder: string, name: string): string | undefined {
  const exact = join(folder, name);
  if (kindOf(exact) === "folder") return exact;
  const found = namesIn(folder).find((each) => each.toLowerCase() === name.toLowerCase());
  return found === undefined ? undefined : join(folder, found);
}

/**
 * Folders of the snapshots that may be loaded, best first: the named revision's and no
 * other; where none is named, that of main, then the newest.
 */
function snapshots(folder: string, revision: string | undefined): readonly string[] {
  const of = (commit: string) => join(folder, "snapshots", commit);
  const named = revision ?? mainRevision;
  const referred = commitOf(folder, named);
  const first = [referred, named].filter((commit) => commit !== undefined).map(of);
  if (revision !== undefined) return first.filter((path) => kindOf(path) === "folder");
  const others = namesIn(join(folder, "snapshots"))
    .map(of)
    .filter((path) => !first.includes(path));
  const byAge = others.map((path) => ({ path, time: modifiedMs(path) }));
  byAge.sort((one, other) => other.time - one.time);
  return [...first, ...byAge.map(({ path }) => path)].filter((path) => kindOf(path) === "folder");
}

/** The commit that a revision meant when it was last resolved. */
export function commitOf(repositoryFolder: string, revision: string): string | undefined {
  const commit = smallText(join(repositoryFolder, "refs", revision), 256)?.trim();
  return commit !== undefined && /^[\w.-]+$/.test(commit) && !/^\.+$/.test(commit) ? commit : undefined;
}

function modifiedMs(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}
