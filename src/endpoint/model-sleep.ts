// When a model that nobody uses is unloaded, and that it is loaded again for the next request:
// `--min-workers 0`. Owns the timer of idleness, and the one load or unload that is under way. What
// loading is, and what counts as use, its owner says.
import { sleep } from "../backoff.js";
import { ApiError } from "../openai/api-error.js";
import { Changes } from "../serverless/changes.js";

/** Where a model stands. */
export type Residence = "loaded" | "unloading" | "unloaded" | "loading";

export interface ModelSleepParts {
  /** Milliseconds without use until the model is unloaded. */
  readonly idleMs: number;
  /** Milliseconds that a request waits for the model. */
  readonly wakingMs: number;
  /** Loads it again. @returns false where it cannot be had; the log says why */
  readonly load: () => Promise<boolean>;
  readonly unload: () => Promise<void>;
  /** Whether a request or a job waits or runs. */
  readonly isUsed: () => boolean;
  /** Told when the model is there again, or that it can be tried again after a failed load. */
  readonly onAwake: () => void;
}

/** Milliseconds after a failed load in which waiting jobs do not try again. */
const afterFailureMs = 10_000;

const stillLoading = new ApiError(503, "the model is being loaded; send this request again later", {
  code: "model_loading",
});
const notLoaded = new ApiError(
  503,
  "the model cannot be loaded, the server's log says why; send this request again later",
  {
    code: "model_not_loaded",
  },
);

export class ModelSleep {
  readonly #parts: ModelSleepParts;
  readonly #changes = new Changes();
  #residence: Residence = "loaded";
  #loads = 1;
  /** Failed loads since the start: who waited for one is told. */
  #failures = 0;
  #failedMs = Number.NEGATIVE_INFINITY;
  /** By performance.now(). */
  #usedMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** Made when the model has been loaded for the first time. */
  constructor(parts: ModelSleepParts) {
    this.#parts = parts;
    this.#watch(parts.idleMs);
  }

  get residence(): Residence {
    return this.#residence;
  }

  /** How often the model was loaded. */
  get loads(): number {
    return this.#loads;
  }

  /** It is used now: the time without use begins anew. */
  touch(): void {
    this.#usedMs = performance.now();
  }

  /**
   * Resolves when the model is loaded. It stays as long as isUsed() says so.
   * @throws ApiError 503 where it cannot be loaded, or its time or the signal's is over
   */
  async awake(signal?: AbortSignal): Promise<void> {
    this.touch();
    const until = performance.now() + this.#parts.wakingMs;
    const failures = this.#failures;
    const signals = signal === undefined ? [] : [signal];
    while (this.#residence !== "loaded") {
      if (this.#failures > failures) throw notLoaded;
      const leftMs = until - performance.now();
      if (leftMs <= 0 || signal?.aborted) throw stillLoading;
      if (this.#residence === "unloaded") void this.#load();
      await this.#changes.next(leftMs, ...signals);
    }
  }

  /** Has the model loaded where jobs wait, unless that failed just now. @returns whether it is there */
  awakeForJobs(): boolean {
    this.touch();
    const mayTry = performance.now() - this.#failedMs >= afterFailureMs;
    if (this.#residence === "unloaded" && mayTry && this.#parts.isUsed()) void this.#load();
    return this.#residence === "loaded";
  }

  /** Nothing is unloaded any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #watch(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#look(), milliseconds).unref();
  }

  #look(): void {
    const { idleMs, isUsed } = this.#parts;
    if (isUsed()) this.touch();
    const leftMs = this.#usedMs + idleMs - performance.now();
    if (leftMs > 0) this.#watch(leftMs);
    else void this.#unload();
  }

  async #unload(): Promise<void> {
    this.#residence = "unloading";
    await this.#parts.unload();
    this.#become("unloaded");
    this.#parts.onAwake(); // jobs may have come meanwhile
  }

  async #load(): Promise<void> {
    this.#residence = "loading";
    if (await this.#parts.load()) {
      this.#loads += 1;
      this.touch();
      this.#watch(this.#parts.idleMs);
      this.#become("loaded");
    } else {
      this.#failures += 1;
      this.#failedMs = performance.now();
      this.#become("unloaded");
      await sleep(afterFailureMs);
    }
    this.#parts.onAwake();
  }

  #become(residence: Residence): void {
    this.#residence = residence;
    this.#changes.notify();
  }
}
