// Hugging Face's cache: models--OWNER--NAME/blobs/DIGEST, snapshots/COMMIT/PATH as relative
// links to blobs, refs/REVISION with a commit. Where a file system has no links there are hard
// links, else copies. Everything appears under its name in one step. Nothing is downloaded.
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  copyFile,
  link,
  lstat,
  mkdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { pid } from "node:process";
import type { RemoteFile } from "./remote-file.js";

/** A repository's folder in a cache. */
export class RepositoryFolder {
  readonly path: string;

  constructor(cacheFolder: string, repository: string) {
    this.path = join(resolve(cacheFolder), `models--${repository.replaceAll("/", "--")}`);
  }

  /** Where a file's content lies. */
  blob(file: RemoteFile): string {
    return join(this.path, "blobs", file.digest);
  }

  /** The folder of a commit's files. */
  snapshot(commit: string): string {
    return join(this.path, "snapshots", commit);
  }

  /** Whether a file's content is there, as a blob or, where links are impossible, as the file itself. */
  async has(file: RemoteFile, commit: string): Promise<boolean> {
    for (const path of [this.blob(file), join(this.snapshot(commit), file.path)]) {
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() && found.size === file.bytes) return true;
    }
    return false;
  }

  /** Makes the snapshot's file, of the blob. @returns its path */
  async link(file: RemoteFile, commit: string): Promise<string> {
    const path = join(this.snapshot(commit), file.path);
    const blob = this.blob(file);
    if (await isLinked(path, blob, file.bytes)) return path;
    await mkdir(dirname(path), { recursive: true });
    const temporary = await this.#temporary();
    // A relative link is of where it will lie, so it is made beside that.
    const beside = join(dirname(path), `.${randomBytes(6).toString("hex")}.link`);
    try {
      await symlink(relative(dirname(path), blob), beside);
      await replace(beside, path);
    } catch (thrown) {
      await rm(beside, { force: true });
      if (!isLinkRefusal(thrown)) throw thrown;
      await link(blob, temporary).catch(() => copyFile(blob, temporary, constants.COPYFILE_FICLONE));
      await replace(temporary, path);
    }
    return path;
  }

  /** Records that this package fetched a blob: cache prune removes no others. */
  async markFetched(file: RemoteFile): Promise<void> {
    await mkdir(join(this.path, ".infernode"), { recursive: true });
    await writeFile(join(this.path, ".infernode", file.digest), "");
  }

  /** Records what a revision means. A commit means itself. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if (revision === commit) return;
    const path = join(this.path, "refs", revision);
    await mkdir(dirname(path), { recursive: true });
    // Not below refs, where every file is a revision.
    const temporary = await this.#temporary();
    await writeFile(temporary, commit);
    await replace(temporary, path);
  }

  async #temporary(): Promise<string> {
    const folder = join(this.path, ".infernode");
    await mkdir(folder, { recursive: true });
    return join(folder, `${pid}-${randomBytes(6).toString("hex")}.temporary`);
  }
}

/** Whether the snapshot's file is the blob already, or a whole file where links are impossible. */
async function isLinked(path: string, blob: string, bytes: number): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return false;
  if (!found.isSymbolicLink()) return found.isFile() && found.size === bytes;
  return resolve(dirname(path), await readlink(path)) === blob;
}

async function replace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (thrown) {
    await rm(from, { force: true });
    throw thrown;
  }
}

/** Windows without the right to make links, and file systems that have none. */
function isLinkRefusal(thrown: unknown): boolean {
  return /^(?:EPERM|ENOSYS|ENOTSUP|EOPNOTSUPP|EINVAL|UNKNOWN)$/.test(
    String((thrown as { readonly code?: unknown }).code ?? ""),
  );
}
