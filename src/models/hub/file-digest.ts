// The digest of a file that is still being fetched: follows what is complete from the file's
// beginning, reading it back from the disk, so that what is verified is what lies there.
import { createHash, type Hash } from "node:crypto";
import { Changed } from "./failures.js";
import type { PartialFile } from "./partial-file.js";
import type { DigestKind } from "./remote-file.js";

const readBytes = 1024 * 1024;

/** One file's digest. */
export class FileDigest {
  readonly #file: PartialFile;
  readonly #hash: Hash;
  #position = 0;
  #reading: Promise<void> | undefined;
  #failure: unknown;

  constructor(file: PartialFile, bytes: number, kind: DigestKind) {
    this.#file = file;
    this.#hash = createHash(kind === "sha256" ? "sha256" : "sha1");
    if (kind === "git-sha1") this.#hash.update(`blob ${bytes}\0`);
  }

  /** Reads on as far as the file is there; returns at once. */
  follow(): void {
    if (this.#reading !== undefined || this.#failure !== undefined) return;
    if (this.#position >= this.#file.done.frontier) return;
    this.#reading = this.#readOn()
      .catch((thrown: unknown) => {
        this.#failure = thrown;
      })
      .finally(() => {
        this.#reading = undefined;
      });
  }

  /** Stops using the file. */
  async settle(): Promise<void> {
    this.#failure ??= new Error("the digest was given up");
    await this.#reading;
  }

  /** The digest in lower-case hexadecimal, once the file is complete. */
  async finish(signal: AbortSignal): Promise<string> {
    while (this.#position < this.#file.done.frontier && this.#failure === undefined && !signal.aborted) {
      this.follow();
      await this.#reading;
    }
    signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    return this.#hash.digest("hex");
  }

  async #readOn(): Promise<void> {
    const buffer = Buffer.allocUnsafe(readBytes);
    while (this.#position < this.#file.done.frontier && this.#failure === undefined) {
      const wanted = Math.min(readBytes, this.#file.done.frontier - this.#position);
      const got = await this.#file.read(buffer.subarray(0, wanted), this.#position);
      if (got === 0) throw new Changed("the partial file is shorter than its journal says");
      this.#hash.update(buffer.subarray(0, got));
      this.#position += got;
    }
  }
}
