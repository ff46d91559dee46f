// A caller's onProgress while a model is downloaded and loaded: one fraction for both, and an
// exception that it throws, kept. Nothing crosses the addon, whose own calls may arrive late.
import type { PullProgress } from "../models/hub/remote-file.js";
import type { LoadProgress } from "./options.js";

type Callback = (fraction: number, progress: LoadProgress) => void;

/** A download's share of the whole: it takes minutes where loading takes seconds. */
const downloadShare = 0.9;
/** Converting writes what loading maps. */
const convertShare = 0.9;
const convertPhase: LoadProgress = Object.freeze({ phase: "convert" });
const loadPhase: LoadProgress = Object.freeze({ phase: "load" });

/** Calls the user's onProgress until it throws or the load has settled. */
export class LoadProgressCall {
  /** For pull(). */
  readonly downloading: ((progress: PullProgress) => void) | undefined;
  threw = false;
  thrown: unknown;
  onThrow: (() => void) | undefined;
  readonly #callback: Callback | undefined;
  #silent = false;
  #last = 0;

  constructor(callback: Callback | undefined) {
    this.#callback = callback;
    this.downloading = callback && ((progress) => this.#download(progress));
  }

  /** For packCheckpoint(): most of what is left. */
  get converting(): ((fraction: number) => void) | undefined {
    if (this.#callback === undefined) return undefined;
    const start = this.#last;
    return (fraction) => this.#tell(start + (1 - start) * convertShare * fraction, convertPhase);
  }

  /** For the addon: the rest. */
  get loading(): ((fraction: number) => void) | null {
    if (this.#callback === undefined) return null;
    const start = this.#last;
    return (fraction) => this.#tell(start + (1 - start) * fraction, loadPhase);
  }

  /** Says 1 if the addon has not yet. */
  complete(): void {
    if (this.#last < 1) this.#tell(1, loadPhase);
  }

  silence(): void {
    this.#silent = true;
  }

  #download({ bytes, totalBytes }: PullProgress): void {
    const part = totalBytes > 0 ? bytes / totalBytes : 0;
    this.#tell(downloadShare * part, { phase: "download", bytes, totalBytes });
  }

  #tell(fraction: number, progress: LoadProgress): void {
    if (this.#callback === undefined || this.threw || this.#silent) return;
    this.#last = fraction;
    try {
      this.#callback(fraction, progress);
    } catch (thrown) {
      this.threw = true;
      this.thrown = thrown;
      this.onThrow?.();
    }
  }
}
