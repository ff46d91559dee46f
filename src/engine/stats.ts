// An engine's counters as its user sees them: the addon's own, plus the ratios
// that tell whether batching works. Everything counts from the engine's birth.
import type { NativeEngineStats } from "../native.js";

/** Counters of an engine since it was created, and what lives now. */
export interface EngineStats {
  /** Generations that hold a slot now. */
  readonly running: number;
  /** Generations accepted and without a slot now. */
  readonly waiting: number;
  /** Steps taken. */
  readonly steps: number;
  /** Passes over the weights that produced tokens, and those that only read prompts. */
  readonly decodePasses: number;
  readonly prefillPasses: number;
  /** Rows computed in decode passes, padding not counted. */
  readonly decodeRows: number;
  /** Rows computed only to keep a pass in one piece. */
  readonly paddingRows: number;
  /** decodeRows / steps: how many generations advance together. 0 before the first step. */
  readonly rowsPerStep: number;
  /** Passes of both kinds / steps. 0 before the first step. */
  readonly passesPerStep: number;
  readonly promptTokensComputed: number;
  /** Prompt tokens taken from the cache instead of computed. */
  readonly promptTokensCached: number;
  readonly generatedTokens: number;
  /** Tokens computed on a guess, and those of them that came true. */
  readonly draftedTokens: number;
  readonly acceptedTokens: number;
  /** Of both, those that a draft model guessed. */
  readonly modelDraftedTokens: number;
  readonly modelAcceptedTokens: number;
  /** Passes of the draft model, and those that failed, which costs guesses only. */
  readonly draftPasses: number;
  readonly draftFailures: number;
  /** Tokens whose first draw a grammar refused, so that all others were judged. */
  readonly maskedRows: number;
  /** Times a generation lost its slot to another and had to begin its cache again. */
  readonly preemptions: number;
  /** Times a sequence was moved to another slot to keep slots dense. */
  readonly sequenceMoves: number;
  /** Times the passes changed their LoRA adapters, for requests that chose some. */
  readonly adapterSwitches: number;
  /** Passes the device failed to compute. */
  readonly failedPasses: number;
  /**
   * Cells of the KV cache, one per token: of generations that run, of ended
   * ones (kept for those that begin alike, free for whoever needs them), and in all.
   */
  readonly kvCellsUsed: number;
  readonly kvCellsCached: number;
  readonly kvCellsTotal: number;
  /** Beginnings copied from one sequence to another. */
  readonly prefixCopies: number;
  /** Beginnings that lost their place in the KV cache, and those that came back from host memory. */
  readonly prefixEvictions: number;
  readonly hostCacheRestores: number;
  /** Host memory that holds beginnings and preempted generations now. */
  readonly hostCacheBytes: number;
  /** Passes that reused the compute graph of the pass before. */
  readonly graphsReused: number;
  /** Times the engine woke JavaScript: at most one per step, however many tokens. */
  readonly wakeUps: number;
  /** Where the steps' time went, summed, in milliseconds. */
  readonly planMs: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
  /** Of the draft model. */
  readonly draftMs: number;
  readonly sampleMs: number;
  readonly emitMs: number;
}

/** The addon's counters with their ratios. */
export function engineStats(native: NativeEngineStats): EngineStats {
  const perStep = (count: number) => (native.steps === 0 ? 0 : count / native.steps);
  return {
    ...native,
    rowsPerStep: perStep(native.decodeRows),
    passesPerStep: perStep(native.decodePasses + native.prefillPasses),
  };
}
