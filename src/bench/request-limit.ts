// What ends a request before its answer does: the run's signal, the time that it may take, or the
// client that cancels it because its workload says so. One object a request.
import type { CancelPoint, Outcome } from "./record.js";

/** Aborts a request's signal, and knows why it did. */
export class RequestLimit {
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  readonly #cancelAt: CancelPoint | null;
  readonly #outer: AbortSignal;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #onAbort = () => this.#controller.abort();
  #cause: "timeout" | "abandoned" | null = null;

  /** @param outer the run's signal */
  constructor(timeoutMs: number, cancelAt: CancelPoint | null, outer: AbortSignal) {
    this.#timeoutMs = timeoutMs;
    this.#cancelAt = cancelAt;
    this.#outer = outer;
    this.#timers = [
      setTimeout(() => this.#end("timeout"), timeoutMs),
      ...(cancelAt?.type === "time" ? [setTimeout(() => this.#end("abandoned"), cancelAt.ms)] : []),
    ];
    outer.addEventListener("abort", this.#onAbort, { once: true });
    if (outer.aborted) this.#controller.abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** @param tokens of the answer, so far */
  sawTokens(tokens: number): void {
    if (this.#cancelAt?.type === "tokens" && tokens >= this.#cancelAt.tokens) this.#end("abandoned");
  }

  /** To be called when the request has ended. */
  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#outer.removeEventListener("abort", this.#onAbort);
  }

  /** @param told by the target; an answer that was whole before it could be cancelled has finished */
  outcomeOf(told: Outcome): Outcome {
    if (this.#cause === "timeout") {
      const sentence = `no end within ${this.#timeoutMs / 1000} s (--timeout)`;
      return { type: "failed", errorClass: "timeout", sentence };
    }
    return this.#cause === "abandoned" && told.type === "cancelled" ? { type: "abandoned" } : told;
  }

  #end(cause: "timeout" | "abandoned"): void {
    if (this.#controller.signal.aborted) return;
    this.#cause = cause;
    this.#controller.abort();
  }
}
