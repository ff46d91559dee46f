// What an emulated hub has: repositories with commits, their files and digests as a real
// hub computes them. Holds no sockets.
import { createHash } from "node:crypto";

/** Digest of a small file: git's SHA-1 of a blob. */
export function gitSha1(content) {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

export function sha256(content) {
  return createHash("sha256").update(content).digest("hex");
}

/**
 * A repository. `files` maps paths to Buffers or strings; those whose names end in .gguf,
 * .safetensors, .bin or .model are LFS files, which the other origin serves.
 */
export function makeRepository({ files, gated = false, isPrivate = false, revisions = ["main"], token }) {
  const entries = new Map();
  for (const [path, given] of Object.entries(files)) {
    const content = Buffer.from(given);
    const isLfs = /\.(?:gguf|safetensors|bin|model)$/.test(path);
    const digest = isLfs ? sha256(content) : gitSha1(content);
    entries.set(path, { path, content, isLfs, digest });
  }
  const commit = createHash("sha1")
    .update([...entries.values()].map((file) => file.path + file.digest).join())
    .digest("hex");
  return { entries, commit, gated, isPrivate, revisions, token };
}

/** An entry as the hub's tree lists it. */
export function treeEntry({ path, content, isLfs, digest }) {
  const size = content.length;
  if (!isLfs) return { type: "file", oid: digest, size, path };
  const lfs = { oid: digest, size, pointerSize: 134 };
  return { type: "file", oid: gitSha1(Buffer.from(digest)), size, lfs, path };
}
