// What may be removed from a cache, planned first and then done: contents that no snapshot
// has, half downloads that nobody finishes, and models by age or to a size. What another
// program fetched is kept, unless the plan is of everything.
import { rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type CachedRepository, type CacheInventory, ownFolder } from "./cache-inventory.js";
import { type CachedModel, cachedModels } from "./cached-models.js";
import { type ConvertedRecord, recordOf } from "./converted-files.js";
import { kindOf } from "./folder-files.js";

/** What is to be removed. */
export interface PruneRules {
  /** Also what other programs fetched. */
  readonly all: boolean;
  /** Models that were not used since this time, milliseconds since 1970. */
  readonly unusedSinceMs?: number | undefined;
  /** The models that were not used for longest, until the cache has this size. */
  readonly maxBytes?: number | undefined;
  /** The present, milliseconds since 1970. */
  readonly nowMs: number;
}

/** Something to remove. */
export interface Removal {
  readonly what: string;
  readonly why: string;
  readonly bytes: number;
  readonly paths: readonly string[];
}

/** What would be removed. */
export interface PrunePlan {
  readonly removals: readonly Removal[];
  /** Bytes of what the rules name and another program fetched: kept. */
  readonly foreignBytes: number;
}

/** A pull writes a blob before the snapshot that has it. */
const blobSettlesMs = 3600_000;
/** A download that was interrupted may be taken up again the same day. */
const partialSettlesMs = 24 * 3600_000;

interface Candidate extends Removal {
  readonly isOurs: boolean;
}

/** Plans; nothing is removed. */
export function planPrune(inventory: CacheInventory, rules: PruneRules): PrunePlan {
  const candidates = [
    ...inventory.repositories.flatMap((each) => leftOvers(each, rules)),
    ...uselessConverted(inventory, rules),
    ...models(inventory, rules),
  ];
  const removals = candidates.filter(({ isOurs }) => isOurs || rules.all);
  const kept = candidates.filter(({ isOurs }) => !isOurs && !rules.all);
  return { removals, foreignBytes: kept.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function leftOvers(repository: CachedRepository, { nowMs }: PruneRules): Candidate[] {
  const { blobs, partials, folder } = repository;
  const unreferenced = blobs
    .filter(({ isReferenced, changedMs }) => !isReferenced && nowMs - changedMs > blobSettlesMs)
    .map(({ digest, path, bytes, isOurs }) => ({
      what: `${repository.repository} ${digest.slice(0, 12)}`,
      why: "no revision has it",
      bytes,
      paths: [path, join(folder, ownFolder, digest)],
      isOurs,
    }));
  const abandoned = partials
    .filter(({ changedMs }) => nowMs - changedMs > partialSettlesMs)
    .map(({ path, bytes, isOurs }) => ({
      what: repository.repository,
      why: "a download that was not finished",
      bytes,
      paths: [path],
      isOurs,
    }));
  return [...unreferenced, ...abandoned];
}

/** Converted checkpoints that no load takes: nobody's, or made of what is gone. */
function uselessConverted({ converted }: CacheInventory, { nowMs }: PruneRules): Candidate[] {
  return converted.flatMap(({ path, bytes, usedMs, record }): Candidate[] => {
    const isUnfinished = record === undefined && nowMs - usedMs > blobSettlesMs;
    if (!isUnfinished && !isGone(record)) return [];
    const why = isUnfinished ? "it has no record, so that no load uses it" : "what it was made of is gone";
    return [{ what: path, why, bytes, paths: [path, recordOf(path)], isOurs: true }];
  });
}

function isGone(record: ConvertedRecord | undefined): boolean {
  return record !== undefined && kindOf(record.source) === undefined;
}

function models(inventory: CacheInventory, rules: PruneRules): Candidate[] {
  const gone = new Set(inventory.converted.filter(({ record }) => isGone(record)).map(({ path }) => path));
  const living = cachedModels(inventory).filter(({ path }) => !gone.has(path));
  const oldestFirst = living.sort((one, other) => one.usedMs - other.usedMs);
  const removable = (model: CachedModel) => rules.all || isOurs(inventory, model);
  let bytes = oldestFirst.reduce((sum, model) => sum + model.bytes, 0);
  const reasons = new Map<CachedModel, string>();
  for (const model of oldestFirst) {
    if (rules.unusedSinceMs !== undefined && model.usedMs < rules.unusedSinceMs) {
      reasons.set(model, "not used for that long");
    } else if (rules.maxBytes !== undefined && bytes > rules.maxBytes && removable(model)) {
      reasons.set(model, "not used for longest");
    }
    if (reasons.has(model) && removable(model)) bytes -= model.bytes;
  }
  const stays = new Set(
    oldestFirst
      .filter((model) => !reasons.has(model) || !removable(model))
      .flatMap(({ contents }) => contents),
  );
  return [...reasons].map(([model, why]) => {
    const contents = new Set(model.contents.filter((content) => !stays.has(content)));
    const { reference: what, bytes: size } = model;
    return { what, why, bytes: size, paths: pathsOf(inventory, contents), isOurs: isOurs(inventory, model) };
  });
}

/** Whether this package fetched every content of a model. */
function isOurs(inventory: CacheInventory, model: CachedModel): boolean {
  const own = new Set([
    ...inventory.addresses.map(({ path }) => path),
    ...inventory.converted.map(({ path }) => path),
    ...inventory.repositories.flatMap(({ blobs }) =>
      blobs.filter((blob) => blob.isOurs).map(({ path }) => path),
    ),
  ]);
  return model.contents.every((content) => own.has(content));
}

/** The contents, every snapshot's links to them, and their records. */
function pathsOf(inventory: CacheInventory, contents: ReadonlySet<string>): readonly string[] {
  const paths: string[] = [];
  for (const { folder, snapshots, blobs } of inventory.repositories) {
    const links = snapshots.flatMap(({ files }) => files).filter(({ content }) => contents.has(content));
    const gone = blobs.filter(({ path }) => contents.has(path));
    paths.push(...links.map(({ location }) => location), ...gone.map(({ path }) => path));
    paths.push(...gone.map(({ digest }) => join(folder, ownFolder, digest)));
  }
  const addresses = inventory.addresses.filter(({ path }) => contents.has(path));
  const converted = inventory.converted.filter(({ path }) => contents.has(path));
  return [
    ...paths,
    ...addresses.flatMap(({ path }) => [path, `${path}.json`]),
    ...converted.flatMap(({ path }) => [path, recordOf(path)]),
  ];
}

/** Removes what was planned, then folders that are empty by it. */
export async function applyPrune(inventory: CacheInventory, { removals }: PrunePlan): Promise<void> {
  const folders = new Set<string>();
  for (const path of removals.flatMap(({ paths }) => paths)) {
    await rm(path, { force: true });
    folders.add(dirname(path));
  }
  for (const folder of folders) await removeEmpty(folder, inventory.folder);
  for (const { folder, snapshots } of inventory.repositories) {
    if ([...folders].some((each) => each.startsWith(join(folder, "/")))) await removeRefs(folder, snapshots);
  }
}

/** Revisions whose snapshot is gone, then the repository's own folders. */
async function removeRefs(folder: string, snapshots: CachedRepository["snapshots"]): Promise<void> {
  for (const { folder: snapshot, revisions } of snapshots) {
    const isGone = await rmdir(snapshot).then(
      () => true,
      (thrown: NodeJS.ErrnoException) => thrown.code === "ENOENT",
    );
    if (!isGone) continue;
    for (const revision of revisions) {
      await rm(join(folder, "refs", revision), { force: true });
      await removeEmpty(dirname(join(folder, "refs", revision)), folder);
    }
  }
  for (const name of ["snapshots", "blobs", "refs", ownFolder])
    await rmdir(join(folder, name)).catch(() => {});
  await rmdir(folder).catch(() => {});
}

/** Removes a folder and those above it as far as they are empty, but never `top`. */
async function removeEmpty(folder: string, top: string): Promise<void> {
  if (folder === top || !folder.startsWith(top)) return;
  try {
    await rmdir(folder);
  } catch {
    return; // something is left in it
  }
  await removeEmpty(dirname(folder), top);
}
