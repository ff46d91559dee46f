// What a pull deals in: the files of a repository as the hub lists them, the files that are
// on the disk, and how far the work is. Types only.
import type { PullLimits } from "./limits.js";

/** How a file's content is known: SHA-256 of the bytes (LFS), or git's SHA-1 of a blob. */
export type DigestKind = "sha256" | "git-sha1";

/** A file of a repository at one commit. Its path was judged: relative, with forward slashes, no "..". */
export interface RemoteFile {
  /** Path within the repository. */
  readonly path: string;
  /** Size in bytes. */
  readonly bytes: number;
  /** Which digest `digest` is. */
  readonly digestKind: DigestKind;
  /** Lower-case hexadecimal; also the name of the blob in the cache. */
  readonly digest: string;
}

/** A file that lies in the cache, complete and verified. */
export interface PulledFile extends RemoteFile {
  /** Absolute path in the snapshot folder. */
  readonly location: string;
  /** False: it was in the cache already. */
  readonly fetched: boolean;
}

/** How far a pull is; told a few times a second at most. */
export interface PullProgress {
  /** Bytes of the chosen files that are on the disk, those of earlier pulls included. */
  readonly bytes: number;
  /** Bytes of all chosen files. */
  readonly totalBytes: number;
  /** Bytes that this call received over the network for them. */
  readonly receivedBytes: number;
  /** Path, within the repository, of a file that is being fetched or verified. */
  readonly file: string;
}

/** What a pull can be told beside its request. */
export interface PullControl {
  /** Aborts; what was fetched stays and is taken up by the next pull. */
  readonly signal?: AbortSignal | undefined;
  /** Told how far the pull is. */
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Told in a sentence what happens that is no failure: a retry, a restarted file. */
  readonly onNotice?: ((sentence: string) => void) | undefined;
  /** Bounds other than the usual ones; for tests. */
  readonly limits?: Partial<PullLimits> | undefined;
}
