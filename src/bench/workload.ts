// The requests of one repeat: prompts and lengths drawn from a seed, or read from a file.
// Prompts of different repeats differ, so that no repeat is served from another's cache.
import { createHash } from "node:crypto";
import { drawLength, type Lengths } from "./lengths.js";
import type { FilePrompt } from "./prompt-file.js";
import { Random } from "./random.js";
import type { Ask } from "./record.js";
import { words } from "./words.js";

/** Makes text that a target's tokenizer turns into about so many tokens. */
export interface PromptSizer {
  /** @param text at least as long as wanted, words divided by spaces @param tokens from 1 */
  cut(text: string, tokens: number): string;
  /** A number of words that is enough for so many tokens. */
  wordsFor(tokens: number): number;
}

/** What requests are made of. */
export interface WorkloadOptions {
  readonly promptTokens: Lengths;
  readonly outputTokens: Lengths;
  /** The share of each prompt that is the same in all of a repeat, 0 to 1. */
  readonly sharedPrefix: number;
  readonly temperature: number;
  /** Instead of synthetic prompts. */
  readonly prompts: readonly FilePrompt[] | undefined;
}

/** Requests by number, made when they are needed; each number once, in ascending order. */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #sizer: PromptSizer;
  readonly #random: Random;
  readonly #prefix: string;
  readonly #seed: number;
  #made = 0;

  /** @param seed of this repeat */
  constructor(options: WorkloadOptions, sizer: PromptSizer, seed: string) {
    this.#options = options;
    this.#sizer = sizer;
    this.#random = new Random(`${seed}/requests`);
    this.#seed = createHash("sha256").update(seed).digest().readUInt32LE(0);
    const longest = options.prompts === undefined ? Math.ceil(longestPrefix(options)) : 0;
    this.#prefix = longest === 0 ? "" : wordText(new Random(`${seed}/prefix`), sizer.wordsFor(longest));
  }

  next(): Ask {
    const index = this.#made;
    this.#made += 1;
    const { prompts, outputTokens, temperature } = this.#options;
    const drawn = drawLength(outputTokens, this.#random);
    const seed = (this.#seed + index) % 2 ** 31;
    if (prompts === undefined)
      return { content: { prompt: this.#prompt() }, outputTokens: drawn, temperature, seed };
    const prompt = prompts[index % prompts.length];
    if (prompt === undefined) throw new RangeError("a workload of no prompts");
    return { content: prompt.content, outputTokens: prompt.outputTokens ?? drawn, temperature, seed };
  }

  #prompt(): string {
    const { promptTokens, sharedPrefix } = this.#options;
    const tokens = drawLength(promptTokens, this.#random);
    const shared = Math.round(tokens * sharedPrefix);
    const own = wordText(this.#random, this.#sizer.wordsFor(Math.max(tokens - shared, 1)));
    const head = shared === 0 ? "" : `${this.#sizer.cut(this.#prefix, shared)} `;
    return this.#sizer.cut(`${head}${own}`, tokens);
  }
}

function longestPrefix({ promptTokens, sharedPrefix }: WorkloadOptions): number {
  if (promptTokens.type === "fixed") return promptTokens.tokens * sharedPrefix;
  if (promptTokens.type === "uniform") return promptTokens.most * sharedPrefix;
  return (promptTokens.mean + 4 * promptTokens.deviation) * sharedPrefix;
}

/** So many random words. */
export function wordText(random: Random, count: number): string {
  return Array.from({ length: count }, () => words[random.integer(0, words.length - 1)]).join(" ");
}
