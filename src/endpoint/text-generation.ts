// Text generation as a server serves it: the worker of the platform, and its model beside it
// for the routes that need no job.
import type { EngineStats } from "../engine/stats.js";
import type { ErrorCode } from "../errors.js";
import { type JobLog, judgeStartOptions } from "../serverless/contract.js";
import type { Environment } from "../text-generation/environment.js";
import type { GenerationObserver } from "../text-generation/observed.js";
import type { TextGenerationService } from "../text-generation/service.js";
import { type TextGenerationWorker, textGenerationWorker } from "../text-generation/worker.js";
import type { Served } from "./served.js";
import { resting, summed } from "./stats-sum.js";

/**
 * @param environment worker-vllm's variables and our own
 * @param onBroken told when the engine can do nothing more; the process is to end
 */
export function textGenerationServed(environment: Environment, onBroken: (code: ErrorCode) => void): Served {
  const worker = textGenerationWorker(environment, onBroken);
  const model = new ReloadableModel(worker);
  return {
    options: judgeStartOptions({
      ...worker.options,
      prepare: (log: JobLog, signal: AbortSignal) => model.load(log, signal),
    }),
    text: {
      model: () => model.loaded.model,
      stats: () => model.stats(),
      isBroken: () => model.isBroken,
      observe: (observer) => model.observe(observer),
      concurrency: () => model.loaded.concurrency,
      onUnknown: (path) => worker.onUnknown(path),
      onBroken,
      unload: () => model.unload(),
    },
    close: async () => worker.service()?.close(),
  };
}

/** A worker's model over loads and unloads: what was said of it last is said until the next load is done. */
class ReloadableModel {
  readonly #worker: TextGenerationWorker;
  #last: TextGenerationService | undefined;
  #isLoaded = false;
  /** Of engines that are closed. */
  #past: EngineStats | undefined;
  #observer: GenerationObserver | undefined;

  constructor(worker: TextGenerationWorker) {
    this.#worker = worker;
  }

  /** The one of now, or the last one. */
  get loaded(): TextGenerationService {
    if (this.#last === undefined) throw new Error("the model is not loaded yet");
    return this.#last;
  }

  get isBroken(): boolean {
    return this.#isLoaded && this.loaded.isBroken;
  }

  async load(log: JobLog, signal: AbortSignal): Promise<void> {
    await this.#worker.options.prepare?.(log, signal);
    this.#last = this.#worker.service();
    this.#isLoaded = true;
    if (this.#observer !== undefined) this.#last?.observe(this.#observer);
  }

  async unload(): Promise<void> {
    this.#past = this.stats();
    this.#isLoaded = false;
    await this.loaded.close();
  }

  stats(): EngineStats {
    const { engine } = this.loaded;
    return !this.#isLoaded && this.#past !== undefined
      ? resting(this.#past)
      : summed(this.#past, engine.stats());
  }

  observe(observer: GenerationObserver): void {
    this.#observer = observer;
    this.loaded.observe(observer);
  }
}
