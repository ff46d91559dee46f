// What a generation tells its reader: text as it comes, one end, and the
// figures of both. Shapes, and the one conversion from the addon's own shape.
import type { ToolCall } from "../chat/tools.js";
import type { ObjectOf } from "../constraints/output-schema.js";
import type { NativeEnd, NativeFailure } from "../native-events.js";

/**
 * Why a generation ended: `stop` at an end token or a stop string, `tool-calls`
 * there too, after calls; `length` at maxTokens or a full context, `cancelled` by cancel(), a signal, a reader that
 * left or a closing engine. `error` is only ever seen in an engine's records:
 * to a reader a failure is a thrown InferenceError.
 */
export type FinishReason = "stop" | "tool-calls" | "length" | "cancelled" | "error";

/** Token counts of one generation. */
export interface Usage {
  /** Tokens of the prompt, special tokens included. */
  readonly promptTokens: number;
  /** Those of them whose computation an earlier generation had paid for. */
  readonly cachedPromptTokens: number;
  /** Tokens generated, an end token not counted. */
  readonly completionTokens: number;
}

/** Where one generation's time went, in milliseconds. */
export interface Timings {
  /** Accepted until first scheduled. */
  readonly queueMs: number;
  /** First scheduled until the first token. */
  readonly prefillMs: number;
  /** First token until the last. */
  readonly decodeMs: number;
  /** Accepted until ended. */
  readonly totalMs: number;
  /** Accepted until the first token: queueMs + prefillMs. */
  readonly timeToFirstTokenMs: number;
  /** Tokens after the first per second of decodeMs; 0 with fewer than two tokens. */
  readonly tokensPerSecond: number;
}

/** How likely the model held one token to be, before any sampling option was applied. */
export interface TokenLogProb {
  /** The token's id. */
  readonly token: number;
  /** Natural logarithm of its probability, at least -9999: JSON has no -Infinity. */
  readonly logProb: number;
}

/** A generated token's log-probability, and those of the likeliest in its place, best first. */
export interface GeneratedLogProb extends TokenLogProb {
  /** The likeliest tokens in its place, as many as `logProbs` asks for. */
  readonly top: readonly TokenLogProb[];
}

/** How likely the model held a token of the prompt to be, by what stands before it. */
export interface PromptLogProb {
  /** The token's id. */
  readonly token: number;
  /** As TokenLogProb.logProb; null for the first token, which nothing precedes. */
  readonly logProb: number | null;
  /** Its place among all tokens, the likeliest being 1; null for the first token. */
  readonly rank: number | null;
  /** The likeliest tokens in its place, as many as `promptLogProbs` asks for. */
  readonly top: readonly TokenLogProb[];
}

/** The prompt as tokens. Comes once, before any delta, where the request asked for it. */
export interface PromptEvent {
  /** Tells the events apart. */
  readonly type: "prompt";
  /** The prompt's token ids. */
  readonly tokens: readonly number[];
  /** One per token with `promptLogProbs`; fewer where the generation ended before all were known. */
  readonly logProbs?: readonly PromptLogProb[];
}

/** What every delta tells. */
interface Delta {
  /** Which of the request's n answers, from 0. */
  readonly choiceIndex: number;
  /** The tokens generated since the last delta; may be empty when text was held back. */
  readonly tokens: readonly number[];
  /** One per token, where the request asked for them. */
  readonly logProbs?: readonly GeneratedLogProb[];
}

/** Some more text. Text is whole characters; it may be empty while one is half done. */
export interface TextDeltaEvent extends Delta {
  /** Tells the events apart. */
  readonly type: "text-delta";
  /** What comes after the text so far. */
  readonly text: string;
}

/** Some more of what the model thinks before it speaks; of conversations only. */
export interface ReasoningDeltaEvent extends Delta {
  /** Tells the events apart. */
  readonly type: "reasoning-delta";
  /** What comes after the thoughts so far. */
  readonly text: string;
}

/** Some more of a tool's call. */
export interface ToolCallDeltaEvent extends Delta {
  /** Tells the events apart. */
  readonly type: "tool-call-delta";
  /** Which of the answer's calls, from 0. */
  readonly toolCallIndex: number;
  /** The call's, the same in each of its deltas. */
  readonly id: string;
  /** The tool's. */
  readonly name: string;
  /** More of its arguments' JSON text; may be empty. */
  readonly arguments: string;
}

/** A delta of any kind. */
export type DeltaEvent = TextDeltaEvent | ReasoningDeltaEvent | ToolCallDeltaEvent;

/** One of several answers has ended, the others may go on. Only with n above 1. */
export interface ChoiceEndEvent {
  /** Tells the events apart. */
  readonly type: "choice-end";
  /** Which of the request's n answers, from 0. */
  readonly choiceIndex: number;
  /** Why it ended. */
  readonly finishReason: Exclude<FinishReason, "error">;
}

/** The last event of a generation that did not fail. */
export interface EndEvent {
  /** Tells the events apart. */
  readonly type: "end";
  /** Of the first choice. */
  readonly finishReason: Exclude<FinishReason, "error">;
  /** Token counts, the prompt once and all answers. */
  readonly usage: Usage;
  /** Where the time went. */
  readonly timings: Timings;
}

/** One step of an iterated generation. */
export type GenerationEvent = PromptEvent | DeltaEvent | ChoiceEndEvent | EndEvent;

/** One answer of a generation. */
export interface GenerateChoice {
  /** From 0; choice i is what the seed plus i gives alone. */
  readonly index: number;
  /** What is said; thoughts and calls are not in it. */
  readonly text: string;
  /** What was thought, where the model's template tells thoughts apart. */
  readonly reasoning?: string;
  /** The tools called, where any were. */
  readonly toolCalls?: readonly ToolCall[];
  /** The tokens behind all of it; those of a stop string too, an end token never. */
  readonly tokens: readonly number[];
  /** One per token, where the request asked for them. */
  readonly logProbs?: readonly GeneratedLogProb[];
  /** Why it ended. */
  readonly finishReason: Exclude<FinishReason, "error">;
}

/** A whole generation, as awaiting gives it: its first choice, and all of them. */
export interface GenerateResult extends Omit<GenerateChoice, "index"> {
  /** All answers, n of them. */
  readonly choices: readonly GenerateChoice[];
  /** The prompt's token ids, where the request asked for `promptTokens` or `promptLogProbs`. */
  readonly promptTokens?: readonly number[];
  /** One per token of the prompt, where the request asked for them. */
  readonly promptLogProbs?: readonly PromptLogProb[];
  /** The prompt counts once, however many choices there are. */
  readonly usage: Usage;
  /** From the first choice's start to the last one's end. */
  readonly timings: Timings;
}

/** What OpenAI's API tells of a token that could not come. */
const leastLogProb = -9999;

/** One answer of a generation with a `jsonSchema`. */
export interface ObjectChoice<Output> extends GenerateChoice {
  /**
   * What the schema makes of the answer, validated. With a plain JSON schema, the parsed JSON,
   * undefined where the answer was cut short.
   */
  readonly object: Output;
}

/** A whole generation with a `jsonSchema`. */
export interface ObjectResult<Output = unknown> extends GenerateResult {
  /** The first choice's. */
  readonly object: Output;
  /** All answers. */
  readonly choices: readonly ObjectChoice<Output>[];
}

/** The result of a request with this `jsonSchema`. */
export type ResultOf<Schema> = unknown extends Schema
  ? ObjectResult
  : [Schema] extends [undefined]
    ? GenerateResult
    : ObjectResult<ObjectOf<Schema>>;

/** The log-probabilities of a delta's tokens out of the addon's flat form. */
export function logProbsOf(tokens: readonly number[], flat: Float64Array): GeneratedLogProb[] {
  const next = numbersOf(flat);
  return tokens.map((token) => ({ token, ...nextLogProbs(next) }));
}

/** Those of some of a prompt's tokens, as many as the addon's flat form has. */
export function promptLogProbsOf(tokens: Int32Array, flat: Float64Array): PromptLogProb[] {
  const next = numbersOf(flat);
  const told: PromptLogProb[] = [];
  for (const token of tokens) {
    const rank = next();
    if (Number.isNaN(rank)) break;
    told.push({ token, rank, ...nextLogProbs(next) });
  }
  return told;
}

/** One number after another; NaN behind the last. */
function numbersOf(flat: Float64Array): () => number {
  let at = 0;
  return () => flat[at++] ?? Number.NaN;
}

function nextLogProbs(next: () => number): Pick<GeneratedLogProb, "logProb" | "top"> {
  const nextLogProb = () => Math.max(next(), leastLogProb);
  const logProb = nextLogProb();
  const top = Array.from({ length: next() }, () => ({ token: next(), logProb: nextLogProb() }));
  return { logProb, top };
}

const millisecondsPerSecond = 1000;

/** Token counts of the addon's end record. */
export function usageOf(end: NativeEnd): Usage {
  return {
    promptTokens: end.promptTokens,
    cachedPromptTokens: end.cachedPromptTokens,
    completionTokens: end.completionTokens,
  };
}

/** Times of the addon's end record. */
export function timingsOf(end: NativeEnd): Timings {
  const { queueMs, prefillMs, decodeMs, totalMs } = end;
  const decoded = end.completionTokens - 1;
  return {
    queueMs,
    prefillMs,
    decodeMs,
    totalMs,
    timeToFirstTokenMs: queueMs + prefillMs,
    tokensPerSecond: decoded > 0 && decodeMs > 0 ? (decoded * millisecondsPerSecond) / decodeMs : 0,
  };
}

/**
 * The ends of all choices as one: the first one's prompt, everybody's tokens,
 * the latest times; a failure of one is the failure of all.
 */
export function combinedEnd(ends: readonly NativeEnd[]): NativeEnd {
  const [first] = ends;
  if (first === undefined) throw new Error("a generation has at least one choice");
  if (ends.length === 1) return first;
  const failed = ends.find((end) => end.failure !== null);
  if (failed !== undefined) return failed;
  const untilFirst = first.queueMs + first.prefillMs;
  return {
    ...first,
    completionTokens: ends.reduce((sum, end) => sum + end.completionTokens, 0),
    decodeMs: Math.max(...ends.map((end) => end.queueMs + end.prefillMs + end.decodeMs)) - untilFirst,
    totalMs: Math.max(...ends.map((end) => end.totalMs)),
  };
}

/**
 * The end of a generation that the addon never heard of: cancelled, or failed
 * with `failure`.
 */
export function endBeforeStart(id: number, failure: NativeFailure | null = null): NativeEnd {
  return {
    id,
    reason: failure === null ? "cancelled" : "error",
    failure,
    promptTokens: 0,
    cachedPromptTokens: 0,
    completionTokens: 0,
    queueMs: 0,
    prefillMs: 0,
    decodeMs: 0,
    totalMs: 0,
  };
}
