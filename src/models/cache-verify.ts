// Recomputes the digests by which a cache's contents are named, and tells those that differ:
// SHA-256 of large files, git's SHA-1 of small ones. What carries no digest is counted. Of
// converted checkpoints size, header and key are compared first, then the digest of their record.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { CacheInventory } from "./cache-inventory.js";
import { type ConvertedFile, isConverted, keyCharacters } from "./converted-files.js";
import { fileSha256 } from "./file-sha256.js";

/** A content that can be verified. */
export interface DigestedFile {
  readonly path: string;
  readonly bytes: number;
  /** Hexadecimal: 64 digits of SHA-256, 40 of git's SHA-1. */
  readonly digest: string;
  /** What it belongs to: owner/name, or an address. */
  readonly owner: string;
}

/** What a verification found. */
export interface Verification {
  readonly verified: number;
  readonly verifiedBytes: number;
  readonly broken: readonly BrokenFile[];
  /** Contents whose names are no digests, and converted checkpoints whose records have none. */
  readonly undigested: number;
}

/** A content that is not what its name says. */
export interface BrokenFile extends DigestedFile {
  /** The digest of what is there; undefined: it cannot be read, or is no whole file of this key. */
  readonly found: string | undefined;
  /** Whether it is a converted checkpoint; where its header is damaged, too, its digest is its key. */
  readonly isConverted: boolean;
}

const digestName = /^(?:[\da-f]{40}|[\da-f]{64})$/;

/** What of a cache can be verified. */
export function digestedFiles({ repositories, addresses }: CacheInventory): {
  readonly files: readonly DigestedFile[];
  readonly undigested: number;
} {
  const blobs = repositories.flatMap(({ repository, blobs: all }) =>
    all.map(({ digest, path, bytes }) => ({ digest, path, bytes, owner: repository })),
  );
  const fetched = addresses.map(({ address, path, bytes, sha256 = "" }) => {
    return { digest: sha256, path, bytes, owner: address };
  });
  const all = [...blobs, ...fetched];
  const files = all.filter(({ digest }) => digestName.test(digest));
  return { files, undigested: all.length - files.length };
}

/**
 * @param onFile told before each file is read
 * @throws what the signal aborts with
 */
export async function verifyFiles(
  inventories: readonly CacheInventory[],
  signal: AbortSignal,
  onFile: (file: DigestedFile) => void = () => {},
): Promise<Verification> {
  const broken: BrokenFile[] = [];
  let [verified, verifiedBytes, undigested] = [0, 0, 0];
  for (const inventory of inventories) {
    const found = digestedFiles(inventory);
    undigested += found.undigested;
    for (const file of found.files) {
      signal.throwIfAborted();
      onFile(file);
      const digest = await digestOf(file, signal);
      signal.throwIfAborted();
      if (digest !== file.digest) broken.push({ ...file, found: digest, isConverted: false });
      verified += 1;
      verifiedBytes += file.bytes;
    }
    for (const file of inventory.converted) {
      signal.throwIfAborted();
      const damage = await damageOf(file, signal, onFile);
      signal.throwIfAborted();
      if (damage !== undefined) broken.push(damage);
      else if (file.record?.sha256 === undefined) undigested += 1;
      verified += 1;
      verifiedBytes += file.bytes;
    }
  }
  return { verified, verifiedBytes, broken, undigested };
}

/** undefined: the file is what its record says. */
async function damageOf(
  { path, bytes, record }: ConvertedFile,
  signal: AbortSignal,
  onFile: (file: DigestedFile) => void,
): Promise<BrokenFile | undefined> {
  const { key = "", source: owner = path, bytes: recorded = 0, sha256 } = record ?? {};
  const damaged = { path, bytes, owner, isConverted: true } as const;
  const isNamed = key !== "" && path.endsWith(`-${key.slice(0, keyCharacters)}.gguf`);
  if (!isNamed || !isConverted(path, key, recorded)) return { ...damaged, digest: key, found: undefined };
  if (sha256 === undefined) return undefined;
  onFile({ path, bytes, owner, digest: sha256 });
  const found = await fileSha256(path, signal).catch(() => undefined);
  return found === sha256 ? undefined : { ...damaged, digest: sha256, found };
}

async function digestOf({ path, bytes, digest }: DigestedFile, signal: AbortSignal) {
  const isGit = digest.length === 40;
  const hash = createHash(isGit ? "sha1" : "sha256");
  if (isGit) hash.update(`blob ${bytes}\0`);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, signal })) hash.update(chunk);
    return hash.digest("hex");
  } catch {
    return undefined;
  }
}
