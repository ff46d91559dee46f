// Where loadModel() takes a checkpoint's bytes from: the GGUF file that an earlier load has
// left in the cache, one that is written now, or, where none can be written, the checkpoint
// itself, packed as it is read. Says so in the log; a bad checkpoint is an error either way.
import { join, resolve, sep } from "node:path";
import { InferenceError } from "../errors.js";
import { tellLog } from "../log.js";
import { CheckpointCache, type ConvertedCheckpoint } from "../models/checkpoint-cache.js";
import { checkpointLines } from "../models/checkpoint-text.js";
import { convertedFolder } from "../models/converted-files.js";
import type { FileWorkCalls } from "../models/file-work.js";
import { hubCacheFolder } from "../models/hub-environment.js";
import { needsQuantizer } from "../models/quantize-types.js";
import type { NativeCheckpointOptions, NativePacking } from "../native-checkpoint.js";
import type { NativePlacement } from "../native-devices.js";
import { messageOfThrown } from "../thrown.js";
import type { LoadedCheckpoint } from "./model.js";
import { usesDevices } from "./placement.js";

/** Where converted checkpoints are kept: true: in the hub's cache; a folder; false: nowhere. */
export type CheckpointCacheOption = boolean | string;

/** Everything that decides the bytes of a checkpoint on this machine. */
export function packingFor(options: NativeCheckpointOptions, placement: NativePlacement): NativePacking {
  return { ...options, keepBf16: usesDevices(placement) };
}

/**
 * The checkpoint's file; undefined: it is to be loaded as it is.
 * @param directory absolute path of the checkpoint
 * @throws InferenceError (rejects) CANCELLED, and the MODEL_ codes of a bad checkpoint; of types
 *   that llama.cpp's quantizer makes also DISK_FULL, FILE_NOT_WRITABLE, OUT_OF_MEMORY and
 *   INVALID_OPTION
 */
export async function cachedCheckpoint(
  directory: string,
  packing: NativePacking,
  option: CheckpointCacheOption,
  calls: FileWorkCalls,
): Promise<ConvertedCheckpoint | undefined> {
  const type = packing.plainType ?? "";
  const mustWrite = type !== "" && needsQuantizer(type);
  const caches = foldersFor(directory, option).map((folder) => new CheckpointCache(folder));
  let refusal: unknown;
  for (const take of ["find", "obtain"] as const) {
    for (const cache of caches) {
      try {
        const found = await cache[take](directory, packing, calls);
        if (found !== undefined) return found;
      } catch (thrown) {
        if (isOfCheckpoint(thrown)) throw thrown;
        refusal = thrown;
        if (mustWrite) continue;
        const text = `${directory} is loaded without a file in the cache, so that each load packs it anew: ${messageOfThrown(thrown)}`;
        tellLog({ level: "warn", text });
      }
    }
  }
  if (!mustWrite) return undefined;
  if (refusal !== undefined) throw refusal;
  throw new InferenceError(
    "INVALID_OPTION",
    `loadModel(): checkpoint.quantize "${type}" is made by llama.cpp's quantizer, which writes a file, and checkpoint.cache is false; allow the cache or name a folder, or write the file with \`infernode convert ${directory} --quantize ${type} --out model.gguf\``,
  );
}

/** What became of a checkpoint's weights, and each of its notes, for whoever listens to the log. */
export function tellCheckpoint(path: string, checkpoint: LoadedCheckpoint | null): void {
  if (checkpoint === null) return;
  const text = `${path} (${checkpoint.description}): ${checkpointLines(checkpoint).join("; ")}`;
  tellLog({ level: "info", text });
  for (const note of checkpoint.notes) tellLog({ level: "warn", text: `${path}: ${note}` });
}

/** In the cache that the checkpoint lies in, which may be a volume's; then in the environment's. */
function foldersFor(directory: string, option: CheckpointCacheOption): readonly string[] {
  if (option === false) return [];
  if (option !== true) return [resolve(option)];
  const parts = directory.split(sep);
  const place = parts.findLastIndex((part) => part.startsWith("models--"));
  const own = place > 0 && parts[place + 1] === "snapshots" ? [join(sep, ...parts.slice(0, place))] : [];
  return [...new Set([...own, hubCacheFolder()])].map(convertedFolder);
}

/** Else nothing can be written there, or the file system refused something: whoever loads it sees for itself. */
function isOfCheckpoint(thrown: unknown): boolean {
  return (
    thrown instanceof InferenceError && thrown.code !== "DISK_FULL" && thrown.code !== "FILE_NOT_WRITABLE"
  );
}
