// The text-generation worker's model and engine: found, loaded and warmed once,
// then shared by all jobs. Owns both.
import { devices } from "../devices.js";
import type { Engine } from "../engine/engine.js";
import { loadModel, type Model } from "../engine/model.js";
import { holdsLayers } from "../engine/placement.js";
import { InferenceError } from "../errors.js";
import { engineModel } from "../openai/engine-model.js";
import { changedModel, type TextModel } from "../openai/text-model.js";
import type { TextGenerationConfig } from "./config.js";
import type { Say } from "./download-log.js";
import type { Environment } from "./environment.js";
import { onGpus } from "./gpu-count.js";
import { type GenerationObserver, observed } from "./observed.js";
import { type CacheFigures, ResponseCache } from "./response-cache.js";
import { workerModel } from "./worker-model.js";

const warmUpTokens = 2;

export class TextGenerationService {
  readonly #config: TextGenerationConfig;
  readonly #environment: Environment;
  readonly #say: Say;
  #model: Model | undefined;
  #engine: Engine | undefined;
  #cache: ResponseCache | undefined;
  #served: TextModel | undefined;
  #observer: GenerationObserver | undefined;

  /** @param environment the hub's and the platform's variables, read where a model is pulled */
  constructor(config: TextGenerationConfig, environment: Environment, say: Say) {
    this.#config = config;
    this.#environment = environment;
    this.#say = say;
  }

  /**
   * @param signal ends a download and a load
   * @throws InferenceError where there is no model, or it cannot be served as configured
   */
  async load(signal?: AbortSignal): Promise<void> {
    const { model: reference, chatTemplate, gpus, placement, engine, notes } = this.#config;
    for (const note of notes) this.#say("info", note);
    if (reference === undefined) {
      this.#say(
        "warn",
        "MODEL_NAME is not set: serving the small story model of the package, which knows nothing else.",
      );
    }
    const say: Say = (level, message) => this.#say(level, message);
    const found = await workerModel(this.#config, this.#environment, say, signal);
    const model = await loadModel(found.path, {
      signal,
      ...(chatTemplate !== undefined && { chatTemplate }),
      ...(gpus === undefined ? placement : onGpus(gpus, placement, devices())),
    });
    this.#model = model;
    this.#engine = await model.createEngine(fitting(engine, model.info.contextLength, this.#say));
    this.#serve(found.name);
    await this.#engine.generate({
      prompt: Int32Array.of(0),
      maxTokens: warmUpTokens,
      cache: false,
      ignoreEos: true,
    });
    const where = model.info.devices
      .filter(holdsLayers)
      .map(({ name }) => name)
      .join(", ");
    this.#say("info", `Serving ${this.model.names.join(", ")} on ${where}.`);
  }

  #serve(name: string): void {
    const { servedNames, cacheSize, cacheBytes } = this.#config;
    const engine = this.engine;
    const names = [...new Set([...servedNames, name])];
    let told = false;
    const uncacheable = () => {
      if (!told) this.#say("info", "An answer was not kept: its temperature is above 0 and it has no seed.");
      told = true;
    };
    const limits = { entries: cacheSize, bytes: cacheBytes };
    const cache = new ResponseCache((request) => engine.generate(request), limits, uncacheable);
    this.#cache = cache;
    const model = engineModel(this.#opened, engine, [names[0] ?? name, ...names.slice(1)]);
    this.#served = changedModel(model, {
      generate: (request) => {
        const run = cache.generate(request);
        return this.#observer === undefined ? run : observed(run, this.#observer);
      },
    });
  }

  get #opened(): Model {
    if (this.#model === undefined) throw new InferenceError("MODEL_CLOSED", "the model is not loaded yet");
    return this.#model;
  }

  /** The model as the API serves it. */
  get model(): TextModel {
    if (this.#served === undefined) throw new InferenceError("MODEL_CLOSED", "the model is not loaded yet");
    return this.#served;
  }

  /** From now on the observer is told of each generation, whoever asked for it. */
  observe(observer: GenerationObserver): void {
    this.#observer = observer;
  }

  /** Whether there is an engine that takes no requests any more. */
  get isBroken(): boolean {
    return this.#engine !== undefined && !this.#engine.healthy;
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new InferenceError("ENGINE_CLOSED", "the engine is not there yet");
    return this.#engine;
  }

  get cacheFigures(): CacheFigures | undefined {
    return this.#cache?.figures;
  }

  /** Jobs to run at once. */
  get concurrency(): number {
    return Math.min(this.#config.concurrency, this.#engine?.options.slots ?? 1);
  }

  async close(): Promise<void> {
    await this.#engine?.close();
    await this.#model?.close();
  }
}

/** A context longer than the model's is the model's. */
function fitting(
  options: TextGenerationConfig["engine"],
  trained: number,
  say: Say,
): TextGenerationConfig["engine"] {
  const { contextLength } = options;
  if (contextLength === undefined || contextLength <= trained) return options;
  say("warn", `MAX_MODEL_LEN is ${contextLength}, the model was trained for ${trained}: that is used.`);
  return { ...options, contextLength: trained };
}
