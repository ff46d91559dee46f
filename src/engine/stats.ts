// An engine's counters as its user sees them: the addon's own, plus the ratios
// that tell whether batching works and the counts of ended requests. Everything counts
// from the engine's birth.
import type { NativeEngineStats } from "../native.js";
import type { RequestCounts } from "./request-book.js";

/** Counters of an engine since it was created, and what lives now. */
export interface EngineStats {
  /** Generations that hold a slot now. */
  readonly running: number;
  /** Generations accepted and without a slot now. */
  readonly waiting: number;
  /**
   * Requests that have ended since the engine was created. A request is one call of
   * generate(), fork(), embed(), rerank(), saveState() or loadState(), whatever its number of
   * choices, inputs or documents; each ends in exactly one of these four counts. An answer
   * that is OUTPUT_INVALID has finished.
   */
  readonly finished: number;
  /** Those that ended with an error after the engine had accepted them. */
  readonly failed: number;
  /** Those that cancel(), a signal, a reader that left or a closing engine ended. */
  readonly cancelled: number;
  /** Those that ended with an error before the engine had accepted them, wrong options included. */
  readonly refused: number;
  /** Steps taken. */
  readonly steps: number;
  /** Passes over the weights that produced tokens. */
  readonly decodePasses: number;
  /** Passes that only read prompts. */
  readonly prefillPasses: number;
  /** Rows computed in decode passes, padding not counted. */
  readonly decodeRows: number;
  /** Rows computed only to keep a pass in one piece. */
  readonly paddingRows: number;
  /** decodeRows / steps: how many generations advance together. 0 before the first step. */
  readonly rowsPerStep: number;
  /** Passes of both kinds / steps. 0 before the first step. */
  readonly passesPerStep: number;
  /** Prompt tokens computed. */
  readonly promptTokensComputed: number;
  /** Prompt tokens taken from the cache instead of computed. */
  readonly promptTokensCached: number;
  /** Tokens generated, of all requests. */
  readonly generatedTokens: number;
  /** Tokens computed on a guess. */
  readonly draftedTokens: number;
  /** Guessed tokens that came true. */
  readonly acceptedTokens: number;
  /** Of draftedTokens, those that a draft model guessed. */
  readonly modelDraftedTokens: number;
  /** Of acceptedTokens, those that a draft model guessed. */
  readonly modelAcceptedTokens: number;
  /** Passes of the draft model. */
  readonly draftPasses: number;
  /** Passes of the draft model that failed, which costs guesses only. */
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
  /** Cells of the KV cache, one per token, of generations that run. */
  readonly kvCellsUsed: number;
  /** Cells of ended generations: kept for those that begin alike, free for whoever needs them. */
  readonly kvCellsCached: number;
  /** All cells of the KV cache. */
  readonly kvCellsTotal: number;
  /** Beginnings copied from one sequence to another. */
  readonly prefixCopies: number;
  /** Beginnings that lost their place in the KV cache. */
  readonly prefixEvictions: number;
  /** Beginnings that came back from host memory. */
  readonly hostCacheRestores: number;
  /** Host memory that holds beginnings and preempted generations now. */
  readonly hostCacheBytes: number;
  /** Passes that reused the compute graph of the pass before. */
  readonly graphsReused: number;
  /**
   * Times the engine woke JavaScript: at most one per step, however many tokens, and one
   * more where a request comes to an idle engine.
   */
  readonly wakeUps: number;
  /** Milliseconds of all steps that went into planning. */
  readonly planMs: number;
  /** Milliseconds that went into passes that only read prompts. */
  readonly prefillMs: number;
  /** Milliseconds that went into passes that produced tokens. */
  readonly decodeMs: number;
  /** Milliseconds of the draft model. */
  readonly draftMs: number;
  /** Milliseconds that went into choosing tokens. */
  readonly sampleMs: number;
  /** Milliseconds that went into publishing events. */
  readonly emitMs: number;
  /**
   * Of prefillMs and decodeMs, the time until llama_decode returned. On a GPU it returns while the pass is
   * computed; on the CPU it returns at the end of the pass.
   */
  readonly submitMs: number;
  /**
   * Milliseconds of all steps that went into neither passes nor choosing tokens: planning, admission,
   * publishing. With submitMs and sampleMs, and divided by the passes, this is the host's time per pass.
   */
  readonly otherMs: number;
  /** Milliseconds of admission and publishing while a GPU computed a pass; otherMs does not contain them. */
  readonly overlappedMs: number;
}

/** The addon's counters with their ratios, and the counts of ended requests. */
export function engineStats(native: NativeEngineStats, counts: RequestCounts): EngineStats {
  const perStep = (count: number) => (native.steps === 0 ? 0 : count / native.steps);
  return {
    ...native,
    ...counts,
    rowsPerStep: perStep(native.decodeRows),
    passesPerStep: perStep(native.decodePasses + native.prefillPasses),
  };
}
