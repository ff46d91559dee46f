// What a benchmark sends its requests to: an engine of this process or an endpoint. The load
// generator knows nothing else of either.
import type { PhysicsFacts } from "./physics.js";
import type { PowerSource } from "./power.js";
import type { PromptSizer } from "./prompt-text.js";
import type { Ask, Ending, Progress } from "./record.js";

/** Counters of an engine, for differences between two moments; null: the target does not tell it. */
export interface TargetCounters {
  readonly steps: number | null;
  readonly decodePasses: number | null;
  readonly prefillPasses: number | null;
  readonly decodeRows: number | null;
  readonly promptTokensComputed: number | null;
  readonly promptTokensCached: number | null;
  readonly generatedTokens: number | null;
  readonly draftedTokens: number | null;
  readonly acceptedTokens: number | null;
  readonly preemptions: number | null;
  readonly graphsReused: number | null;
  readonly finished: number | null;
  readonly failed: number | null;
  readonly refused: number | null;
  readonly cancelled: number | null;
  readonly planMs: number | null;
  readonly prefillMs: number | null;
  readonly decodeMs: number | null;
  readonly sampleMs: number | null;
  readonly emitMs: number | null;
  /** Times that requests waited until they were first scheduled, added up. */
  readonly queuedMs: number | null;
  /** Requests that were scheduled. */
  readonly queuedRequests: number | null;
}

/** What a target says of a text. */
export type Score =
  /** Of each token after the first: the natural logarithm of its probability. */
  | { readonly type: "scored"; readonly logProbs: readonly number[] }
  /** @param reason for people: why there are none */
  | { readonly type: "none"; readonly reason: string };

/** What a model says after a text. */
export type Continuation =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "none"; readonly reason: string };

/** A model that answers requests. */
export interface Target {
  /** What it is, for the result's file. Never a key. */
  readonly identity: Readonly<Record<string, unknown>>;
  /** Makes prompts of a wanted length. */
  readonly sizer: PromptSizer;
  /** Runs a request to its end; never rejects. An aborted signal ends it as cancelled. */
  run(ask: Ask, progress: Progress, signal: AbortSignal): Promise<Ending>;
  /** How likely the model holds a text to be, token for token. Never rejects. */
  score(text: string, signal: AbortSignal): Promise<Score>;
  /** What the model says after a text at temperature 0, without a chat template. Never rejects. */
  continued(text: string, tokens: number, signal: AbortSignal): Promise<Continuation>;
  /** Milliseconds between two looks at kvUse(). */
  readonly lookEveryMs: number;
  /** The engine's counters now; null where the target tells none. Never rejects. */
  counters(): Promise<TargetCounters | null>;
  /** The share of the KV cache that running requests hold; null where the target does not tell. Never rejects. */
  kvUse(): Promise<number | null>;
  /**
   * What the model costs and its devices can do, measured now, while nothing runs; null where the
   * target does not compute in this process.
   * @throws InferenceError (rejects)
   */
  physics(): Promise<PhysicsFacts | null>;
  /** Where the power of its GPUs is read; null: it has none here. */
  readonly power: PowerSource | null;
  close(): Promise<void>;
}

/**
 * The benchmark cannot go on, and its options are not the reason: a sentence for people. What
 * was measured before stays valid.
 */
export class TargetFailure extends Error {}
