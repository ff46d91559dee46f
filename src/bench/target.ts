// What a benchmark sends its requests to: an engine of this process or an endpoint. The load
// generator knows nothing else of either.
import type { PromptSizer } from "./prompt-text.js";
import type { Ask, Ending, Progress } from "./record.js";

/** Counters of an engine, for differences between two moments. */
export interface TargetCounters {
  readonly steps: number;
  readonly decodePasses: number;
  readonly prefillPasses: number;
  readonly decodeRows: number;
  readonly promptTokensComputed: number;
  readonly promptTokensCached: number;
  readonly generatedTokens: number;
  readonly draftedTokens: number;
  readonly acceptedTokens: number;
  readonly preemptions: number;
  readonly graphsReused: number;
  readonly finished: number;
  readonly failed: number;
  readonly refused: number;
  readonly cancelled: number;
  readonly planMs: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
  readonly sampleMs: number;
  readonly emitMs: number;
}

/** A model that answers requests. */
export interface Target {
  /** What it is, for the result's file. Never a key. */
  readonly identity: Readonly<Record<string, unknown>>;
  /** Makes prompts of a wanted length. */
  readonly sizer: PromptSizer;
  /** Runs a request to its end; never rejects. An aborted signal ends it as cancelled. */
  run(ask: Ask, progress: Progress, signal: AbortSignal): Promise<Ending>;
  /** The engine's counters now; null outside this process. */
  counters(): TargetCounters | null;
  /** The share of the KV cache's cells that running requests hold; null outside this process. */
  kvUse(): number | null;
  close(): Promise<void>;
}

/**
 * The benchmark cannot go on, and its options are not the reason: a sentence for people. What
 * was measured before stays valid.
 */
export class TargetFailure extends Error {}
