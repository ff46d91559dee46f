// How many requests may be under way at once, waiting ones included: a bound that is looked
// at before a body is read, so that an overloaded server refuses at once. Also what a server
// that is to leave waits for.
import { Changes } from "../serverless/changes.js";
import { Turns } from "./turns.js";

export class Admission {
  /** In which what was admitted begins its work. */
  readonly turns = new Turns();
  readonly #limit: () => number;
  readonly #changes = new Changes();
  #living = 0;

  /** @param limit requests under way at most, from now on */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Requests under way. */
  get living(): number {
    return this.#living;
  }

  get limit(): number {
    return this.#limit();
  }

  /** @returns ends the request, once however often it is called; undefined where there are too many */
  enter(): (() => void) | undefined {
    if (this.#living >= this.#limit()) return undefined;
    this.#living += 1;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#living -= 1;
      this.#changes.notify();
    };
  }

  /** Resolves when no request is under way. */
  async drained(): Promise<void> {
    while (this.#living > 0) await this.#changes.next();
  }
}
