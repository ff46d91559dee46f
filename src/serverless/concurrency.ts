// How many jobs run at once: 1, or what the caller's modifier says. Whatever it
// says becomes a whole number of at least 1; what makes no sense changes nothing.
import type { ConcurrencyModifier } from "./contract.js";
import type { Logger } from "./logger.js";

export class Concurrency {
  readonly #modifier: ConcurrencyModifier | undefined;
  readonly #logger: Logger;
  #current = 1;

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

  /** Asks the modifier; never rejects. */
  async next(): Promise<number> {
    if (this.#modifier === undefined) return this.#current;
    let wanted: unknown;
    try {
      wanted = await this.#modifier(this.#current);
    } catch {
      this.#logger.warnOnce(`concurrencyModifier threw; ${this.#current} stays in force.`);
      return this.#current;
    }
    if (typeof wanted !== "number" || Number.isNaN(wanted)) {
      this.#logger.warnOnce(
        `concurrencyModifier must return an integer of at least 1; ${this.#current} stays.`,
      );
      return this.#current;
    }
    const clamped = Math.max(1, Math.min(Math.floor(wanted), 100_000));
    if (clamped !== wanted) {
      this.#logger.warnOnce(
        "concurrencyModifier must return an integer of at least 1; the next one is used.",
      );
    }
    this.#current = clamped;
    return clamped;
  }
}
