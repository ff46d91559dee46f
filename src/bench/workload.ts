// The requests of one repeat: prompts and lengths drawn from a seed, read from a file, or those of a
// trace; alone or in conversations. Prompts of different repeats differ, so that no repeat is served
// from another's cache.
import { createHash } from "node:crypto";
import { Conversations } from "./conversations.js";
import { drawLength, type Lengths } from "./lengths.js";
import type { FilePrompt } from "./prompt-file.js";
import { type PromptShape, type PromptSizer, PromptText, TraceText } from "./prompt-text.js";
import { Random } from "./random.js";
import type { CancelPoint, PlannedAsk } from "./record.js";
import type { TraceRequest } from "./trace-file.js";

/** What requests are made of. */
export interface WorkloadOptions extends PromptShape {
  readonly outputTokens: Lengths;
  readonly temperature: number;
  /** Instead of synthetic prompts. */
  readonly prompts: readonly FilePrompt[] | undefined;
  /** Instead of synthetic prompts and lengths. */
  readonly trace: readonly TraceRequest[] | undefined;
  /** Requests of each conversation; undefined: each request stands alone. */
  readonly turns?: Lengths | undefined;
  /** The share of requests that the client cancels, 0 to 1. */
  readonly cancelRate: number;
  /** Milliseconds after sending at which it cancels; undefined: after a random part of the answer. */
  readonly cancelAfter?: number | undefined;
}

type Draft = Omit<PlannedAsk, "temperature" | "seed" | "cancelAt">;

/** Requests by number, made when they are needed; each number once, in ascending order. */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #draft: (index: number) => Draft;
  readonly #cancels: Random;
  readonly #seed: number;
  #made = 0;

  /** @param seed of this repeat @param users conversations at once */
  constructor(options: WorkloadOptions, sizer: PromptSizer, seed: string, users = 1) {
    this.#options = options;
    this.#cancels = new Random(`${seed}/cancels`);
    this.#seed = createHash("sha256").update(seed).digest().readUInt32LE(0);
    this.#draft = drafts(options, sizer, seed, users);
  }

  next(): PlannedAsk {
    const draft = this.#draft(this.#made);
    const seed = (this.#seed + this.#made) % 2 ** 31;
    this.#made += 1;
    const cancelAt = this.#cancelPoint(draft.outputTokens);
    return { ...draft, temperature: this.#options.temperature, seed, cancelAt };
  }

  /** Of an answer of one token no part is left to be cancelled. */
  #cancelPoint(outputTokens: number): CancelPoint | null {
    const { cancelRate, cancelAfter: ms } = this.#options;
    const [chosen, tokens] = [this.#cancels.uniform(), this.#cancels.integer(1, outputTokens - 1)];
    if (chosen >= cancelRate) return null;
    if (ms !== undefined) return { type: "time", ms };
    return outputTokens > 1 ? { type: "tokens", tokens } : null;
  }
}

const alone = { turn: null, answered: () => {} };

function drafts(
  options: WorkloadOptions,
  sizer: PromptSizer,
  seed: string,
  users: number,
): (index: number) => Draft {
  const { prompts, trace, turns, outputTokens } = options;
  const random = new Random(`${seed}/requests`);
  if (trace !== undefined) {
    const text = new TraceText(sizer, seed);
    return (index) => {
      const request = at(trace, index);
      const content = { prompt: text.of(request) };
      return { content, outputTokens: Math.max(1, request.outputTokens), ...alone };
    };
  }
  if (prompts !== undefined) {
    return (index) => {
      const drawn = drawLength(outputTokens, random);
      const { content, outputTokens: own } = at(prompts, index);
      return { content, outputTokens: own ?? drawn, ...alone };
    };
  }
  const text = new PromptText(options, sizer, { random, seed });
  if (turns === undefined) {
    return () => {
      const drawn = drawLength(outputTokens, random);
      return { content: { prompt: text.withPrefix() }, outputTokens: drawn, ...alone };
    };
  }
  const conversations = new Conversations(
    {
      turns: () => drawLength(turns, random),
      first: () => text.withPrefix(),
      later: () => text.own(),
    },
    users,
  );
  return () => {
    const { number: turn, messages, answered } = conversations.next();
    return { content: { messages }, outputTokens: drawLength(outputTokens, random), turn, answered };
  };
}

/** From the beginning again after the last. */
function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index % items.length];
  if (item === undefined) throw new RangeError("a workload of no requests");
  return item;
}
