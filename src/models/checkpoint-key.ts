// What a converted checkpoint is recognized by: a hash over everything that decides its
// bytes. A file that is a link into a Hugging Face cache is known by its blob's name, which is
// the hash of its content; others by their content where they are small, and by size, time and
// header where they hold weights. Reads no weights.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { native } from "../native-addon.js";
import type { NativePacking } from "../native-checkpoint.js";
import { fileSha256 } from "./file-sha256.js";

/** The header's value that holds the key. */
export const keyValue = "infernode.checkpoint.key";

/** A safetensors header has at most this many bytes, its length included. */
const mostHeaderBytes = 100_000_008;

/** Files whose content the GGUF file may depend on. */
const relevant = /^[^.].*\.(?:json|jinja|model|txt|safetensors)$/;

/**
 * The key of a checkpoint under a packing: 64 hexadecimal digits.
 * @param directory absolute path of the checkpoint
 * @throws what the file system throws
 */
export async function checkpointKey(directory: string, packing: NativePacking): Promise<string> {
  const names = (await readdir(directory)).filter((name) => relevant.test(name)).sort();
  const files: (readonly [string, string])[] = [];
  for (const name of names) {
    const identity = await fileIdentity(join(directory, name));
    if (identity !== undefined) files.push([name, identity]);
  }
  const { profile, plainType, preTokenizer, keepBf16 } = packing;
  const { version, treeHash } = native().build; // other ones may pack otherwise
  const facts = [version, treeHash, profile, plainType, preTokenizer, keepBf16, files];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}

/** What tells this file's content from another's; undefined: it is no regular file. */
async function fileIdentity(path: string): Promise<string | undefined> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return undefined; // a link to nothing: whoever opens it says so
  const found = await stat(real);
  if (!found.isFile()) return undefined;
  const blob = hubBlob(real);
  if (blob !== undefined) return `blob ${blob} ${found.size}`;
  if (!path.endsWith(".safetensors")) return `content ${await fileSha256(real)}`;
  return `weights ${found.size} ${found.mtimeMs} ${await headerHash(real)}`;
}

/** The blob's name where the file lies in a Hugging Face cache: SHA-256, or git's SHA-1. */
function hubBlob(real: string): string | undefined {
  const folder = dirname(real);
  const isBlob = basename(folder) === "blobs" && basename(dirname(folder)).startsWith("models--");
  const name = basename(real);
  return isBlob && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(name) ? name : undefined;
}

/** Of the header that the first eight bytes measure, or of what there is of it. */
async function headerHash(path: string): Promise<string> {
  const file = await open(path);
  try {
    const first = Buffer.alloc(8);
    await file.read(first, 0, first.length, 0);
    const length = Math.min(Number(first.readBigUInt64LE()) + first.length, mostHeaderBytes);
    const hash = createHash("sha256");
    await pipeline(createReadStream(path, { end: length - 1 }), hash);
    return hash.digest("hex");
  } finally {
    await file.close();
  }
}
