// Waiting: pauses that grow with failures, and a sleep that a signal ends.

/** A random number from 0 to 1, as Math.random gives. */
export type Random = () => number;

/** Pauses that double from `firstMs` to `lastMs`, each shortened at random by up to half. */
export class Backoff {
  readonly #firstMs: number;
  readonly #lastMs: number;
  readonly #random: Random;
  #nextMs: number;

  constructor(firstMs: number, lastMs: number, random: Random) {
    this.#firstMs = firstMs;
    this.#lastMs = lastMs;
    this.#random = random;
    this.#nextMs = firstMs;
  }

  /** @param ceilingMs a lower bound than lastMs for this kind of failure */
  next(ceilingMs = this.#lastMs): number {
    const pause = Math.min(this.#nextMs, ceilingMs);
    this.#nextMs = Math.min(this.#nextMs * 2, this.#lastMs);
    return pause * (1 - this.#random() / 2);
  }

  reset(): void {
    this.#nextMs = this.#firstMs;
  }
}

/** Resolves after the time or when a signal aborts, whichever is first; never rejects. */
export function sleep(milliseconds: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    if (signals.some((signal) => signal?.aborted)) return resolve();
    const end = () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    for (const signal of signals) signal?.addEventListener("abort", end, { once: true });
  });
}
