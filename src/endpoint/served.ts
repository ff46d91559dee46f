// What a server serves: a worker's handler, and where it is text generation the model and
// the engine behind it.
import type { EngineStats } from "../engine/stats.js";
import type { ErrorCode } from "../errors.js";
import type { OnUnknown } from "../openai/fields.js";
import type { TextModel } from "../openai/text-model.js";
import type { WorkerOptions } from "../serverless/contract.js";
import type { GenerationObserver } from "../text-generation/observed.js";

/** A model once it is loaded. */
export interface ServedModel {
  readonly model: () => TextModel;
  readonly stats: () => EngineStats;
  readonly isBroken: () => boolean;
  readonly observe: (observer: GenerationObserver) => void;
  /** Requests it computes at once. */
  readonly concurrency: () => number;
  readonly onUnknown: OnUnknown;
  /** Told of an error that is the engine's end. */
  readonly onBroken: (code: ErrorCode) => void;
  /** Gives the model's memory back; `options.prepare` loads it again. What is told of it stays. */
  readonly unload: () => Promise<void>;
}

export interface Served {
  /** Judged options of serverless.start(). */
  readonly options: WorkerOptions;
  /** Undefined: the handler is somebody's own. */
  readonly text: ServedModel | undefined;
  close(): Promise<void>;
}
