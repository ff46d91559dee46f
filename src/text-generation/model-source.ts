// Where a model reference's file lies: a path, the network volume, or the
// platform's model cache, which is laid out as Hugging Face's and may have its
// folders' names in lower case. Nothing is downloaded and nothing written.
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { InferenceError } from "../errors.js";
import { embeddedModelPath } from "../models/embedded.js";

/** A model that was found. */
export interface FoundModel {
  /** For loadModel(). */
  readonly path: string;
  /** What answers call it: the reference, never a path. */
  readonly name: string;
}

/** The types to take when a repository has several, best first. */
const preferred = ["Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "Q4_0", "IQ4_XS", "F16", "BF16"];
const firstPart = /-00001-of-\d{5}\.gguf$/i;
const laterPart = /-(?!00001)\d{5}-of-\d{5}\.gguf$/i;

/**
 * @param reference a path, "org/name", "org/name:QUANT", "synthetic:…"; undefined: the embedded model
 * @param folders to look in
 * @throws InferenceError MODEL_NOT_FOUND, MODEL_NOT_GGUF
 */
export async function findModel(
  reference: string | undefined,
  folders: readonly string[],
  revision: string | undefined,
): Promise<FoundModel> {
  if (reference === undefined) return { path: embeddedModelPath(), name: "tinytale" };
  if (reference.startsWith("synthetic:")) return { path: reference, name: reference };
  const here = await kindOf(reference);
  if (here === "file") return { path: resolve(reference), name: nameOfFile(reference) };
  if (here === "folder")
    return { path: await pick(reference, undefined, reference), name: basename(resolve(reference)) };
  const [, repository = reference, type] =
    /^(.*?)(?::([\w.-]+))?$/.exec(reference.replace(/^hf:(\/\/)?/, "")) ?? [];
  for (const folder of folders) {
    const found = await inFolder(folder, repository, type, revision);
    if (found !== undefined) return { path: found, name: reference };
  }
  throw new InferenceError(
    "MODEL_NOT_FOUND",
    `the model "${reference}" is no file and lies in none of ${folders.join(", ")}; ` +
      "put its GGUF file there, name its path, or have the platform cache it: models are not downloaded",
  );
}

async function inFolder(
  folder: string,
  repository: string,
  type: string | undefined,
  revision: string | undefined,
): Promise<string | undefined> {
  const cached = await entryLike(folder, `models--${repository.replaceAll("/", "--")}`);
  if (cached !== undefined) {
    const snapshot = await snapshotOf(cached, revision);
    if (snapshot !== undefined) return pick(snapshot, type, repository);
  }
  for (const plain of [repository, basename(repository)]) {
    const path = join(folder, plain);
    const kind = await kindOf(path);
    if (kind === "file") return path;
    if (kind === "folder") return pick(path, type, repository);
  }
  return undefined;
}

/** A folder's entry of this name, in any case of letters; the exact one first. */
async function entryLike(folder: string, name: string): Promise<string | undefined> {
  const entries = await readdir(folder).catch(() => [] as string[]);
  const found = entries.includes(name)
    ? name
    : entries.find((each) => each.toLowerCase() === name.toLowerCase());
  return found === undefined ? undefined : join(folder, found);
}

/** The revision's snapshot, else the newest that holds a GGUF file, else the newest. */
async function snapshotOf(cached: string, revision = "main"): Promise<string | undefined> {
  const hash = (await readFile(join(cached, "refs", revision), "utf8").catch(() => revision)).trim();
  const named = join(cached, "snapshots", hash);
  if ((await kindOf(named)) === "folder") return named;
  const all = await readdir(join(cached, "snapshots")).catch(() => [] as string[]);
  const dated = await Promise.all(
    all.map(async (name) => {
      const path = join(cached, "snapshots", name);
      return { path, time: (await stat(path)).mtimeMs, files: (await ggufFiles(path)).length };
    }),
  );
  dated.sort((one, other) => Math.sign(other.files) - Math.sign(one.files) || other.time - one.time);
  return dated[0]?.path;
}

/** The one GGUF file to load from a folder. */
async function pick(folder: string, type: string | undefined, reference: string): Promise<string> {
  const files = await ggufFiles(folder);
  const chosen =
    type === undefined
      ? byPreference(files)
      : files.find((file) => file.toLowerCase().includes(type.toLowerCase()));
  if (chosen !== undefined) return realOrSame(join(folder, chosen));
  if (files.length > 0) {
    throw new InferenceError(
      "MODEL_NOT_FOUND",
      `the model "${reference}" has no GGUF file of type ${type}; it has ${files.slice(0, 8).join(", ")}`,
    );
  }
  const others = await readdir(folder).catch(() => [] as string[]);
  const format = others.some((file) => file.endsWith(".safetensors")) ? "safetensors files" : "no GGUF file";
  throw new InferenceError(
    "MODEL_NOT_GGUF",
    `the model "${reference}" has ${format}; this worker loads GGUF, name a repository or a folder with one`,
  );
}

function byPreference(files: readonly string[]): string | undefined {
  for (const type of preferred) {
    const found = files.find((file) => file.toUpperCase().includes(type));
    if (found !== undefined) return found;
  }
  return files[0];
}

/** Whole GGUF models, first parts of split ones, in order; no projectors and nothing half downloaded. */
async function ggufFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  const candidates = entries.filter(
    (file) => /\.gguf$/i.test(file) && !laterPart.test(file) && !/mmproj/i.test(basename(file)),
  );
  const sized = await Promise.all(
    candidates.map(async (file) => ({
      file,
      bytes: (await stat(join(folder, file)).catch(() => undefined))?.size ?? 0,
    })),
  );
  return sized
    .filter(({ bytes }) => bytes > 0)
    .map(({ file }) => file)
    .sort();
}

/** A split model's parts lie beside each other only where the links are. */
async function realOrSame(path: string): Promise<string> {
  return firstPart.test(path) ? path : realpath(path).catch(() => path);
}

async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  return found.isDirectory() ? "folder" : "file";
}

function nameOfFile(path: string): string {
  return basename(path)
    .replace(firstPart, "")
    .replace(/\.gguf$/i, "");
}
