// The models in a cache: what loadModel() would load of it, each with the reference to type.
// Pure, but for the configuration of checkpoints, which is read.
import { join } from "node:path";
import type { CachedFile, CachedRepository, CachedSnapshot, CacheInventory } from "./cache-inventory.js";
import { chooseFile, ggufModels, partsOf, typeOfName } from "./choose.js";
import { typeOfConverted } from "./converted-files.js";
import { smallText } from "./folder-files.js";
import { mainRevision } from "./hub-cache.js";
import { hubReferenceText } from "./hub-reference.js";
import { wantedFiles } from "./wanted-files.js";

/** A model in a cache. */
export interface CachedModel {
  /** What to type: hf:owner/name:TYPE, an address, or the path of a converted checkpoint. */
  readonly reference: string;
  /** A GGUF type such as Q4_K_M, or a checkpoint's quantization or number type. */
  readonly type: string;
  readonly format: "gguf" | "checkpoint";
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly usedMs: number;
  /** The GGUF file or the checkpoint's folder. */
  readonly path: string;
  /** Paths of the contents. */
  readonly contents: readonly string[];
}

/** All models of a cache, sorted by their references. */
export function cachedModels(inventory: CacheInventory): readonly CachedModel[] {
  const models = inventory.repositories.flatMap(modelsOf);
  for (const { address, path, bytes, usedMs } of inventory.addresses) {
    const type = typeOfName(path) ?? "gguf";
    models.push({ reference: address, type, format: "gguf", bytes, usedMs, path, contents: [path] });
  }
  for (const { path, bytes, usedMs, record } of inventory.converted) {
    if (record === undefined) continue; // nothing that a load would take
    const type = typeOfConverted(record);
    models.push({ reference: path, type, format: "gguf", bytes, usedMs, path, contents: [path] });
  }
  return models.sort((one, other) => (one.reference < other.reference ? -1 : 1));
}

/** Of every snapshot; the same contents once, under main where main has them. */
function modelsOf({ repository, snapshots }: CachedRepository): CachedModel[] {
  const isMain = ({ revisions }: CachedSnapshot) => revisions.includes(mainRevision);
  const ordered = [...snapshots].sort((one, other) => Number(isMain(other)) - Number(isMain(one)));
  const seen = new Set<string>();
  const found: CachedModel[] = [];
  for (const snapshot of ordered) {
    const unnamed = isMain(snapshot) || snapshots.length === 1;
    const revision = unnamed ? undefined : (snapshot.revisions[0] ?? snapshot.commit);
    for (const model of modelsOfSnapshot(repository, revision, snapshot)) {
      const key = [...model.contents].sort().join("\n");
      if (!seen.has(key)) found.push(model);
      seen.add(key);
    }
  }
  return found;
}

function modelsOfSnapshot(
  repository: string,
  revision: string | undefined,
  snapshot: CachedSnapshot,
): CachedModel[] {
  const files = new Map(snapshot.files.map((file) => [file.path, file]));
  const listed = [...files.keys()];
  const models: CachedModel[] = [];
  for (const file of ggufModels(listed)) {
    const parts = partsOf(file).map((part) => files.get(part));
    if (parts.includes(undefined)) continue; // half downloaded
    const type = typeOfName(file);
    const isType = type !== undefined && chooseFile(listed, type) === file;
    const selected = isType ? { file: undefined, quantization: type } : { file, quantization: undefined };
    const reference = hubReferenceText({ type: "hub", repository, revision, ...selected });
    const path = join(snapshot.folder, file);
    models.push({ reference, type: type ?? "gguf", format: "gguf", path, ...summed(parts) });
  }
  return models.length > 0 ? models : checkpointOf(repository, revision, snapshot, files);
}

function checkpointOf(
  repository: string,
  revision: string | undefined,
  { folder }: CachedSnapshot,
  files: ReadonlyMap<string, CachedFile>,
): CachedModel[] {
  const none = { file: undefined, quantization: undefined };
  let wanted: readonly string[];
  try {
    wanted = wantedFiles([...files.keys()], { repository, ...none }).files;
  } catch {
    return []; // a tokenizer, an image model: nothing that could be loaded
  }
  const reference = hubReferenceText({ type: "hub", repository, revision, ...none });
  const type = typeOfCheckpoint(join(folder, "config.json"));
  const found = wanted.map((path) => files.get(path));
  return [{ reference, type, format: "checkpoint", path: folder, ...summed(found) }];
}

function summed(files: readonly (CachedFile | undefined)[]) {
  const there = files.filter((file) => file !== undefined);
  return {
    bytes: there.reduce((sum, { bytes }) => sum + bytes, 0),
    usedMs: Math.max(...there.map(({ usedMs }) => usedMs)),
    contents: there.map(({ content }) => content),
  };
}

/** "awq 4-bit", "bf16", else "safetensors". */
function typeOfCheckpoint(config: string): string {
  try {
    const { quantization_config: quantization, ...rest } = JSON.parse(smallText(config) ?? "{}");
    const { quant_method: method, bits, w_bit: width = bits } = quantization ?? {};
    if (typeof method === "string") return typeof width === "number" ? `${method} ${width}-bit` : method;
    const number = rest.dtype ?? rest.torch_dtype;
    return typeof number === "string" ? number : "safetensors";
  } catch {
    return "safetensors";
  }
}
