// The rules of a grammar while it is written. Names are numbered, so that two are
// never one, and rules that say the same are one.
import { invalidOption } from "../errors.js";

const maximumLength = 256 * 1024;
const maximumSteps = 60_000; // of automata, half a second at most
const maximumParts = 2_000_000;
const mostRepeats = 2000;
const mostRepeatsTogether = 40_000;
const space = "space";
const prefix = "j";

/** Collects rules; each belongs to one grammar. */
export class GrammarRules {
  /** White space between the parts of a JSON text. */
  readonly space = space;
  readonly #option: string;
  readonly #share: number;
  readonly #lines: string[] = [];
  readonly #names = new Map<string, string>();
  #count = 0;
  #length = 0;
  #steps = 0;
  #parts = 0;
  #repeats = 0;

  /**
   * @param option what the grammar is made of, for errors
   * @param share how much of a grammar's limits these rules may take
   */
  constructor(option: string, share = 1) {
    this.#option = option;
    this.#share = share;
  }

  /** The name of a rule that says this. */
  add(body: string): string {
    const known = this.#names.get(body);
    if (known !== undefined) return known;
    const name = this.reserve();
    this.#names.set(body, name);
    this.define(name, body);
    return name;
  }

  /** A name whose rule is still to come. */
  reserve(): string {
    this.#count += 1;
    return `${prefix}${this.#count}`;
  }

  /** @throws InferenceError INVALID_OPTION where the grammar becomes too large */
  define(name: string, body: string): void {
    this.#lines.push(`${name} ::= ${body}`);
    this.#length += name.length + body.length;
    if (this.isFull) this.tooLarge();
  }

  /** The rules, one a line. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /**
   * Counts steps of an automaton, and the parts of expressions that were looked at for them.
   * @throws InferenceError INVALID_OPTION where they become too many
   */
  spend(steps: number, parts: number): void {
    this.#steps += steps;
    this.#parts += parts;
    if (this.isFull) this.tooLarge();
  }

  /** A limit of repetitions: infinity where it is, or all of them together are, too high to be counted. */
  limit(most: number): number {
    if (most > mostRepeats) return Number.POSITIVE_INFINITY;
    this.#repeats += most;
    return this.#repeats > mostRepeatsTogether * this.#share ? Number.POSITIVE_INFINITY : most;
  }

  get isFull(): boolean {
    return (
      this.#length > maximumLength * this.#share || this.#steps > maximumSteps || this.#parts > maximumParts
    );
  }

  tooLarge(): never {
    throw invalidOption(
      "generate()",
      [this.#option],
      `makes too large a grammar, more than ${maximumLength >> 10} KiB or ${maximumSteps} steps; ` +
        "shorten its texts, or use fewer patterns and limits of length together",
    );
  }
}

/** The rule for white space: as llama.cpp has it, at most one empty line and an indentation. */
export const spaceRule = `${space} ::= | " " | "\\n"{1,2} [ \\t]{0,20}`;
