// What a generation tells its reader: text as it comes, one end, and the
// figures of both. Shapes, and the one conversion from the addon's own shape.
import type { NativeEnd, NativeFailure } from "../native.js";

/**
 * Why a generation ended: `stop` at an end token or a stop string, `length` at
 * maxTokens or a full context, `cancelled` by cancel(), a signal, a reader that
 * left or a closing engine. `error` is only ever seen in an engine's records:
 * to a reader a failure is a thrown InferenceError.
 */
export type FinishReason = "stop" | "length" | "cancelled" | "error";

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
  readonly token: number;
  /** Natural logarithm of its probability; -Infinity where it could not come. */
  readonly logProb: number;
}

/** A generated token's log-probability, and those of the likeliest in its place, best first. */
export interface GeneratedLogProb extends TokenLogProb {
  readonly top: readonly TokenLogProb[];
}

/** Some more text. Text is whole characters; it may be empty while one is half done. */
export interface TextDeltaEvent {
  readonly type: "text-delta";
  readonly text: string;
  /** The tokens generated since the last delta; may be empty when text was held back. */
  readonly tokens: readonly number[];
  /** One per token, where the request asked for them. */
  readonly logProbs?: readonly GeneratedLogProb[];
}

/** The last event of a generation that did not fail. */
export interface EndEvent {
  readonly type: "end";
  readonly finishReason: Exclude<FinishReason, "error">;
  readonly usage: Usage;
  readonly timings: Timings;
}

/** One step of an iterated generation. */
export type GenerationEvent = TextDeltaEvent | EndEvent;

/** A whole generation, as awaiting gives it. */
export interface GenerateResult {
  readonly text: string;
  /** The tokens behind the text; those of a stop string too, an end token never. */
  readonly tokens: readonly number[];
  /** One per token, where the request asked for them. */
  readonly logProbs?: readonly GeneratedLogProb[];
  readonly finishReason: Exclude<FinishReason, "error">;
  readonly usage: Usage;
  readonly timings: Timings;
}

/** The log-probabilities of a delta's tokens out of the addon's flat form. */
export function logProbsOf(tokens: readonly number[], flat: Float64Array): GeneratedLogProb[] {
  let at = 0;
  const next = () => flat[at++] ?? Number.NaN;
  return tokens.map((token) => {
    const logProb = next();
    const top = Array.from({ length: next() }, () => ({ token: next(), logProb: next() }));
    return { token, logProb, top };
  });
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
