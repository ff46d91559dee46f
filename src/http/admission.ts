// How many requests may be under way at once, waiting ones included, and how many tokens their
// prompts may have together: bounds that are looked at before a body is read, so that an overloaded
// server refuses at once. Tokens are estimated by the length of bodies, as a tokenizer would first
// have to read them. Also what a server that is to leave waits for.
import { Changes } from "../serverless/changes.js";
import { Turns } from "./turns.js";

/** Of a body for each token of its prompt: that of English text in most vocabularies. */
const bytesPerToken = 4;

/** A request under way. */
export interface Admitted {
  /** Says how long its body is. @returns whether there is room for it */
  hasRoom(bytes: number): boolean;
  /** Ends it, once however often it is called. */
  leave(): void;
}

export class Admission {
  /** In which what was admitted begins its work. */
  readonly turns = new Turns();
  readonly #limit: () => number;
  /** Of prompts under way, together. */
  readonly tokenLimit: number;
  readonly #changes = new Changes();
  #living = 0;
  #tokens = 0;

  /**
   * @param limit requests under way at most, from now on
   * @param tokenLimit tokens of their prompts at most; a prompt that is alone may have more
   */
  constructor(limit: () => number, tokenLimit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
    this.tokenLimit = tokenLimit;
  }

  /** Requests under way. */
  get living(): number {
    return this.#living;
  }

  get limit(): number {
    return this.#limit();
  }

  /** @returns undefined where there are too many requests */
  enter(): Admitted | undefined {
    if (this.#living >= this.#limit()) return undefined;
    this.#living += 1;
    let held = 0;
    let left = false;
    const hold = (tokens: number) => {
      this.#tokens += tokens - held;
      held = tokens;
    };
    return {
      hasRoom: (bytes) => {
        const tokens = Math.ceil(bytes / bytesPerToken);
        const others = this.#tokens - held;
        if (left || (others > 0 && others + tokens > this.tokenLimit)) return false;
        hold(tokens);
        return true;
      },
      leave: () => {
        if (left) return;
        left = true;
        hold(0);
        this.#living -= 1;
        this.#changes.notify();
      },
    };
  }

  /** Resolves when no request is under way. */
  async drained(): Promise<void> {
    while (this.#living > 0) await this.#changes.next();
  }
}
