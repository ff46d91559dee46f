// Texts of wanted lengths in tokens, of random words: prompts that share a beginning, texts of their
// own, and the blocks of a trace, of which equal names are equal text.
import { drawLength, type Lengths, longest } from "./lengths.js";
import { Random } from "./random.js";
import { type TraceRequest, traceBlockTokens } from "./trace-file.js";
import { words } from "./words.js";

/** Makes text that a target's tokenizer turns into about so many tokens. */
export interface PromptSizer {
  /** Tokens that a prompt has beside its text: of a template, or a begin token. */
  readonly overhead: number;
  /**
   * @param text at least as long as wanted, words divided by spaces
   * @param tokens of the prompt with what is added to it, from 1
   */
  cut(text: string, tokens: number): string;
  /** A number of words that is enough for so many tokens. */
  wordsFor(tokens: number): number;
}

/** So many random words. */
export function wordText(random: Random, count: number): string {
  return Array.from({ length: count }, () => words[random.integer(0, words.length - 1)]).join(" ");
}

/** How long prompts are, and how much of each is the same in all. */
export interface PromptShape {
  readonly promptTokens: Lengths;
  readonly sharedPrefix: number;
}

/** Prompts of drawn lengths. */
export class PromptText {
  readonly #shape: PromptShape;
  readonly #sizer: PromptSizer;
  readonly #random: Random;
  readonly #prefix: string;

  constructor(shape: PromptShape, sizer: PromptSizer, { random, seed }: { random: Random; seed: string }) {
    this.#shape = shape;
    this.#sizer = sizer;
    this.#random = random;
    const most = Math.ceil(longest(shape.promptTokens) * shape.sharedPrefix);
    this.#prefix = most === 0 ? "" : wordText(new Random(`${seed}/prefix`), sizer.wordsFor(most));
  }

  /** Begins with what all prompts share. */
  withPrefix(): string {
    const tokens = drawLength(this.#shape.promptTokens, this.#random);
    const shared = Math.round(tokens * this.#shape.sharedPrefix);
    const own = wordText(this.#random, this.#sizer.wordsFor(Math.max(tokens - shared, 1)));
    const head = shared === 0 ? "" : `${this.#sizer.cut(this.#prefix, shared)} `;
    return this.#sizer.cut(`${head}${own}`, tokens);
  }

  /** Shares nothing. */
  own(): string {
    const tokens = drawLength(this.#shape.promptTokens, this.#random);
    return this.#sizer.cut(wordText(this.#random, this.#sizer.wordsFor(tokens)), tokens);
  }
}

/** Blocks that are kept; beyond it they are made anew. */
const keptBlocks = 4096;

/** Prompts of a trace's requests. */
export class TraceText {
  readonly #sizer: PromptSizer;
  readonly #random: Random;
  readonly #seed: string;
  readonly #blocks = new Map<number, string>();

  constructor(sizer: PromptSizer, seed: string) {
    this.#sizer = sizer;
    this.#seed = seed;
    this.#random = new Random(`${seed}/trace`);
  }

  of({ promptTokens, blocks }: TraceRequest): string {
    const text =
      blocks === null
        ? wordText(this.#random, this.#sizer.wordsFor(promptTokens))
        : blocks.map((name) => this.#block(name)).join(" ");
    return this.#sizer.cut(text, promptTokens);
  }

  #block(name: number): string {
    const known = this.#blocks.get(name);
    if (known !== undefined) return known;
    if (this.#blocks.size >= keptBlocks) this.#blocks.clear();
    const random = new Random(`${this.#seed}/block/${name}`);
    const text = wordText(random, this.#sizer.wordsFor(traceBlockTokens));
    const block = this.#sizer.cut(text, traceBlockTokens + this.#sizer.overhead);
    this.#blocks.set(name, block);
    return block;
  }
}
