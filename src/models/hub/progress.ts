// How far a pull is, summed over its files and told a few times a second.
import type { PullControl, PullProgress } from "./remote-file.js";

const tellMs = 200;

/** One file's share. */
export interface FileProgress {
  /** How many of the file's bytes are on the disk. */
  set(bytes: number): void;
  /** So many bytes came over the network. */
  received(bytes: number): void;
}

/** A pull's. */
export class Progress {
  readonly #onProgress: PullControl["onProgress"];
  readonly #totalBytes: number;
  #bytes = 0;
  #receivedBytes = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  #file = "";

  constructor(totalBytes: number, onProgress: PullControl["onProgress"]) {
    this.#totalBytes = totalBytes;
    this.#onProgress = onProgress;
  }

  /** The share of a file. */
  of(file: string): FileProgress {
    let before = 0;
    return {
      set: (bytes) => {
        this.#bytes += bytes - before;
        before = bytes;
        this.#file = file;
        this.#tell();
      },
      received: (bytes) => {
        this.#receivedBytes += bytes;
      },
    };
  }

  /** Tells the last state. */
  finish(): void {
    this.#toldAt = Number.NEGATIVE_INFINITY;
    this.#tell();
  }

  #tell(): void {
    const now = performance.now();
    if (now - this.#toldAt < tellMs) return;
    this.#toldAt = now;
    const told: PullProgress = {
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      receivedBytes: this.#receivedBytes,
      file: this.#file,
    };
    this.#onProgress?.(told);
  }
}
