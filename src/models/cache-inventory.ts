// What lies in a cache of the hub: repositories with their snapshots and blobs, half
// downloads, files that were fetched by their address, and checkpoints that were converted. Reads names and sizes, and no
// file's content but that of small records. Writes nothing.
import { realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { type ConvertedFile, convertedFiles, convertedFolder } from "./converted-files.js";
import { filesBelow, kindOf, namesIn, smallText } from "./folder-files.js";
import { commitOf } from "./hub-cache.js";

/** A file as a snapshot has it. */
export interface CachedFile {
  /** In the repository. */
  readonly path: string;
  /** Its path in the snapshot. */
  readonly location: string;
  /** Where the content lies: the blob, or the location where links are impossible. */
  readonly content: string;
  readonly bytes: number;
  /** When it was last read or written, milliseconds since 1970; some file systems know the day only. */
  readonly usedMs: number;
}

/** A commit of a repository, or the part of it that was downloaded. */
export interface CachedSnapshot {
  readonly commit: string;
  readonly folder: string;
  /** Branches and tags that meant this commit when they were last resolved. */
  readonly revisions: readonly string[];
  readonly files: readonly CachedFile[];
}

/** A content, named by its digest. */
export interface CachedBlob {
  readonly digest: string;
  readonly path: string;
  readonly bytes: number;
  readonly changedMs: number;
  /** Whether a snapshot has it. */
  readonly isReferenced: boolean;
  /** Whether this package fetched it; another program otherwise. */
  readonly isOurs: boolean;
}

/** A download that is not complete, of this package or of another program. */
export interface CachedPartial {
  readonly path: string;
  readonly bytes: number;
  readonly changedMs: number;
  readonly isOurs: boolean;
}

/** A repository's folder. */
export interface CachedRepository {
  /** owner/name */
  readonly repository: string;
  readonly folder: string;
  readonly snapshots: readonly CachedSnapshot[];
  readonly blobs: readonly CachedBlob[];
  readonly partials: readonly CachedPartial[];
}

/** A file that was fetched by its address. */
export interface CachedAddress {
  /** Without its query; the file's name where the record is missing. */
  readonly address: string;
  readonly folder: string;
  readonly path: string;
  readonly bytes: number;
  readonly usedMs: number;
  readonly sha256: string | undefined;
}

/** A cache folder's content. */
export interface CacheInventory {
  readonly folder: string;
  readonly repositories: readonly CachedRepository[];
  readonly addresses: readonly CachedAddress[];
  /** Checkpoints that loadModel() has packed. */
  readonly converted: readonly ConvertedFile[];
}

/** This package's own records in a cache or a repository's folder. */
export const ownFolder = ".infernode";
/** NAME.UNIQUE.incomplete and its journal are ours, NAME.incomplete is Python's. */
const partialName = /\.incomplete(?:\.journal)?$/;
const ownPartialName = /\.\d+-[0-9a-f]{12}\.incomplete(?:\.journal)?$/;

/** Reads a cache folder; one that is not there is empty. */
export function readCache(folder: string): CacheInventory {
  const repositories = namesIn(folder)
    .filter((name) => /^models--.+--.+/i.test(name) && kindOf(join(folder, name)) === "folder")
    .map((name) => readRepository(join(folder, name)));
  const urls = join(folder, ownFolder, "urls");
  const addresses = namesIn(urls).flatMap((name) => readAddress(join(urls, name)));
  return { folder, repositories, addresses, converted: convertedFiles(convertedFolder(folder)) };
}

function readRepository(folder: string): CachedRepository {
  const repository = basename(folder).split("--").slice(1).join("/");
  const revisions = revisionsOf(folder);
  const snapshots = namesIn(join(folder, "snapshots")).map((commit) =>
    readSnapshot(join(folder, "snapshots", commit), commit, revisions.get(commit) ?? []),
  );
  const contents = new Set(snapshots.flatMap(({ files }) => files.map(({ content }) => content)));
  const marks = new Set(namesIn(join(folder, ownFolder)));
  const blobs: CachedBlob[] = [];
  const partials: CachedPartial[] = [];
  for (const name of namesIn(join(folder, "blobs"))) {
    const path = join(folder, "blobs", name);
    const found = statOf(path);
    if (!found?.isFile()) continue;
    const { size: bytes, ctimeMs: changedMs } = found;
    if (partialName.test(name)) {
      partials.push({ path, bytes, changedMs, isOurs: ownPartialName.test(name) });
      continue;
    }
    const isReferenced = contents.has(realPath(path));
    blobs.push({ digest: name, path, bytes, changedMs, isReferenced, isOurs: marks.has(name) });
  }
  return { repository, folder, snapshots, blobs, partials };
}

/** Revisions by the commit that they mean. */
function revisionsOf(folder: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const revision of filesBelow(join(folder, "refs"))) {
    const commit = commitOf(folder, revision);
    if (commit === undefined) continue;
    found.set(commit, [...(found.get(commit) ?? []), revision]);
  }
  return found;
}

function readSnapshot(folder: string, commit: string, revisions: readonly string[]): CachedSnapshot {
  const files = filesBelow(folder).flatMap((path): CachedFile[] => {
    const location = join(folder, path);
    const found = statOf(location);
    if (found === undefined) return [];
    const usedMs = Math.max(found.atimeMs, found.mtimeMs);
    return [{ path, location, content: realPath(location), bytes: found.size, usedMs }];
  });
  return { commit, folder, revisions, files };
}

function readAddress(folder: string): CachedAddress[] {
  const names = namesIn(folder).filter((name) => !/\.json$|\.temporary$|\.incomplete/.test(name));
  return names.flatMap((name): CachedAddress[] => {
    const path = join(folder, name);
    const found = statOf(path);
    if (!found?.isFile()) return [];
    const { address = name, sha256 } = recordOf(`${path}.json`);
    const usedMs = Math.max(found.atimeMs, found.mtimeMs);
    return [{ address, folder, path, bytes: found.size, usedMs, sha256 }];
  });
}

function recordOf(path: string): { readonly address?: string; readonly sha256?: string } {
  try {
    const { address, sha256 } = JSON.parse(smallText(path, 2 ** 16) ?? "{}") as Record<string, unknown>;
    return {
      ...(typeof address === "string" && { address }),
      ...(typeof sha256 === "string" && { sha256 }),
    };
  } catch {
    return {};
  }
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
