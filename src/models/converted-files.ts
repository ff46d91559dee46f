// The files of the cache of converted checkpoints, as they lie there: each with a record of
// its key, its source and what was told of it. Reads headers and records; writes nothing.
import { statSync } from "node:fs";
import { join } from "node:path";
import { native } from "../native-addon.js";
import type { CheckpointReport } from "../native-checkpoint.js";
import { keyValue } from "./checkpoint-key.js";
import { namesIn, smallText } from "./folder-files.js";

/** Characters of the key in a file's name; its header has all. */
export const keyCharacters = 16;

const mostRecordBytes = 2 ** 24;

/** What lies beside a converted checkpoint. */
export interface ConvertedRecord {
  /** 64 hexadecimal digits, as in the file's header. */
  readonly key: string;
  /** Absolute path of the checkpoint it was made of. */
  readonly source: string;
  /** Of the file. */
  readonly bytes: number;
  /** Of the file's content, in hexadecimal; undefined: an older version wrote the record. */
  readonly sha256?: string | undefined;
  /** When the file had this content last, by its own time, milliseconds since 1970; undefined: as above. */
  readonly writtenMs?: number | undefined;
  readonly report: CheckpointReport;
}

/** A converted checkpoint in a cache. */
export interface ConvertedFile {
  /** Of the GGUF file. */
  readonly path: string;
  readonly bytes: number;
  /** When it was loaded or written last, milliseconds since 1970: the time of its record. */
  readonly usedMs: number;
  /** undefined: it is missing or damaged, and the file is not used. */
  readonly record: ConvertedRecord | undefined;
}

/** The folder of converted checkpoints in a cache of the hub. */
export function convertedFolder(hubCacheFolder: string): string {
  return join(hubCacheFolder, ".infernode", "converted");
}

/** Where the record of a file lies. */
export function recordOf(path: string): string {
  return `${path}.json`;
}

/** Every file of a folder, the one used longest ago first; none where there is no folder. */
export function convertedFiles(folder: string): readonly ConvertedFile[] {
  const files = namesIn(folder).flatMap((name): ConvertedFile[] => {
    if (name.startsWith(".") || !name.endsWith(".gguf")) return [];
    const path = join(folder, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found?.isFile()) return [];
    const usedMs = statSync(recordOf(path), { throwIfNoEntry: false })?.mtimeMs ?? found.mtimeMs;
    return [{ path, bytes: found.size, usedMs, record: readRecord(path) }];
  });
  return files.sort((one, other) => one.usedMs - other.usedMs);
}

/** The record of a file; undefined: none, or damaged. */
export function readRecord(path: string): ConvertedRecord | undefined {
  try {
    const record = JSON.parse(smallText(recordOf(path), mostRecordBytes) ?? "{}") as ConvertedRecord;
    const isWhole =
      /^[\da-f]{64}$/.test(record.key) &&
      typeof record.source === "string" &&
      typeof record.bytes === "number" &&
      typeof record.report.description === "string" &&
      Array.isArray(record.report.notes) &&
      Array.isArray(record.report.tensors);
    return isWhole ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The type that most weights became: "Q4_1". */
export function typeOfConverted({ report }: ConvertedRecord): string {
  const weights = new Map<string, number>();
  for (const tensor of report.tensors)
    weights.set(tensor.type, (weights.get(tensor.type) ?? 0) + tensor.weights);
  const [most] = [...weights].sort(([, one], [, other]) => other - one);
  return most?.[0].toUpperCase() ?? "gguf";
}

/** Whether there is a whole GGUF file of this size that says it has this key. */
export function isConverted(path: string, key: string, bytes: number): boolean {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.size !== bytes) return false;
    return native().inspect(path, null, null).metadata[keyValue] === key;
  } catch (thrown) {
    if ((thrown as { readonly code?: unknown }).code === "NATIVE_MISSING") throw thrown;
    return false; // damaged: it is written again
  }
}
