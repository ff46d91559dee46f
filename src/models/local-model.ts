// Where a reference's model lies on this machine: at its path, in a cache of the hub, or in
// a folder of models such as the worker's network volume. Nothing is downloaded, nothing
// written.
import { isAbsolute, join } from "node:path";
import { InferenceError } from "../errors.js";
import { kindOf } from "./folder-files.js";
import { type FoundModel, findInFolder, findInHubCache, type LookUp, mainRevision } from "./hub-cache.js";
import { type HubReference, hubReferenceText } from "./hub-reference.js";
import type { PathReference } from "./reference.js";

/**
 * A file or a folder by its path; undefined: nothing lies there.
 * @throws InferenceError MODEL_NOT_FOUND, MODEL_FORMAT_UNSUPPORTED: a folder without a model
 */
export function findAtPath(path: string): FoundModel | undefined {
  switch (kindOf(path)) {
    case "file":
      return { path, file: undefined, chosenAmong: 1 };
    case "folder":
      return foundOr(findInFolder(path, { repository: path, file: undefined, quantization: undefined }));
    default:
      return undefined;
  }
}

/** A repository's model in the first of these folders that has it, as a cache or by its name. */
export function findRepository(reference: HubReference, folders: readonly string[]): LookUp {
  let problem: InferenceError | undefined;
  for (const folder of folders) {
    const cached = findInHubCache(folder, reference);
    if (cached.found !== undefined) return cached;
    const plain =
      (reference.revision ?? mainRevision) === mainRevision ? findPlain(folder, reference) : undefined;
    if (plain?.found !== undefined) return plain;
    problem ??= cached.problem ?? plain?.problem;
  }
  return { problem };
}

/** FOLDER/owner/name, then FOLDER/name: copied there by hand, so that no revision is known. */
function findPlain(folder: string, reference: HubReference): LookUp {
  const [, name = ""] = reference.repository.split("/");
  let problem: InferenceError | undefined;
  for (const each of [reference.repository, name]) {
    const path = join(folder, each);
    if (kindOf(path) !== "folder") continue;
    const looked = findInFolder(path, reference);
    if (looked.found !== undefined) return looked;
    problem ??= looked.problem;
  }
  return { problem };
}

/** A file or folder of a relative path below one of these folders, such as a volume's my-model.gguf. */
export function findBelow(reference: PathReference, folders: readonly string[]): FoundModel | undefined {
  const { text } = reference;
  if (isAbsolute(text) || text.split(/[\\/]/).includes("..")) return undefined;
  for (const folder of folders) {
    const found = findAtPath(join(folder, text));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What a look-up found, or its problem thrown. */
function foundOr({ found, problem }: LookUp): FoundModel | undefined {
  if (found !== undefined || problem === undefined) return found;
  throw problem;
}

/** The error of a repository that is in none of the folders. @param advice what to do */
export function notInFolders(
  reference: HubReference,
  folders: readonly string[],
  problem: InferenceError | undefined,
  advice: string,
): InferenceError {
  const where = folders.length === 1 ? `not in ${folders[0]}` : `in none of ${folders.join(", ")}`;
  const why = problem === undefined ? "" : ` (${problem.message})`;
  return new InferenceError(
    "MODEL_NOT_FOUND",
    `the model ${hubReferenceText(reference)} is ${where}${why}; ${advice}`,
  );
}

/** What a preference chose, in a sentence; undefined where there was no choice. */
export function choiceSentence(name: string, found: FoundModel): string | undefined {
  if (found.chosenAmong <= 1 || found.file === undefined) return undefined;
  return `${name} has ${found.chosenAmong} GGUF models; taking ${found.file} (name another by its type or file)`;
}
