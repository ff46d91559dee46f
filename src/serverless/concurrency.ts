// How many jobs run at once: 1, or what the caller's modifier says. Whatever it
// says becomes a whole number of at least 1; what makes no sense changes nothing.
import { sleep } from "../backoff.js";
import type { ConcurrencyModifier } from "./contract.js";
import type { Logger } from "./logger.js";

/** Milliseconds an answer is waited for. */
const patienceMs = 1000;

export class Concurrency {
  readonly #modifier: ConcurrencyModifier | undefined;
  readonly #logger: Logger;
  #current = 1;
  /** Whether the modifier was asked and still owes its answer. */
  #late = false;

  constructor(modifier: ConcurrencyModifier | undefined, logger: Logger) {
    this.#modifier = modifier;
    this.#logger = logger;
  }

  get current(): number {
    return this.#current;
  }

  /** Whether it can change at all. */
  get fixed(): boolean {
    return this.#modifier === undefined;
  }

  /**
   * Asks the modifier and waits a while for its answer; an answer that comes later counts
   * from then on. Never rejects.
   * @param signal ends the waiting
   */
  async next(signal?: AbortSignal): Promise<number> {
    if (this.#modifier === undefined) return this.#current;
    if (this.#late) return this.#current;
    const answered = new AbortController();
    void this.#ask(this.#modifier).then(() => answered.abort());
    await sleep(patienceMs, answered.signal, signal);
    this.#late = !answered.signal.aborted;
    if (this.#late && !signal?.aborted) {
      this.#logger.warnOnce(
        `concurrencyModifier has not answered within ${patienceMs} ms; ${this.#current} stays in force until it does.`,
      );
    }
    return this.#current;
  }

  async #ask(modifier: ConcurrencyModifier): Promise<void> {
    try {
      this.#take(await modifier(this.#current));
    } catch {
      this.#logger.warnOnce(`concurrencyModifier threw; ${this.#current} stays in force.`);
    }
    this.#late = false;
  }

  #take(wanted: unknown): void {
    if (typeof wanted !== "number" || Number.isNaN(wanted)) {
      this.#logger.warnOnce(
        `concurrencyModifier must return an integer of at least 1; ${this.#current} stays.`,
      );
      return;
    }
    const clamped = Math.max(1, Math.min(Math.floor(wanted), 100_000));
    if (clamped !== wanted) {
      this.#logger.warnOnce(
        "concurrencyModifier must return an integer of at least 1; the next one is used.",
      );
    }
    this.#current = clamped;
  }
}
