// An engine of this process as a benchmark's target, through the package's public interface.
import { InferenceError } from "../errors.js";
import { devices, type Engine, loadModel, type Model } from "../index.js";
import type { PromptSizer } from "./prompt-text.js";
import type { Ask, Ending, Outcome, Progress } from "./record.js";
import type { Target, TargetCounters } from "./target.js";

/** A model to be opened with an engine. */
export interface EngineTargetOptions {
  /** Anything that loadModel() takes. */
  readonly model: string;
  readonly slots: number;
  /** Undefined: the model's own, as createEngine() chooses it. */
  readonly contextLength: number | undefined;
  readonly threads: number | undefined;
  readonly gpuLayers: number | "all" | undefined;
  readonly kvType: "f16" | "f32" | "q8_0" | undefined;
  /** Requests in flight at most. */
  readonly queueLimit: number;
  readonly ignoreEos: boolean;
}

/** @throws InferenceError (rejects) as loadModel() and createEngine() do; nothing stays open then */
export async function openEngine(options: EngineTargetOptions, signal: AbortSignal): Promise<Target> {
  const { model: path, gpuLayers, slots, contextLength, threads, kvType, queueLimit } = options;
  const model = await loadModel(path, { gpuLayers, signal });
  try {
    const engine = await model.createEngine({ slots, contextLength, threads, kvType, queueLimit });
    return new EngineTarget(model, engine, options.ignoreEos);
  } catch (thrown) {
    await model.close();
    throw thrown;
  }
}

class EngineTarget implements Target {
  readonly identity: Readonly<Record<string, unknown>>;
  readonly sizer: PromptSizer;
  readonly #model: Model;
  readonly #engine: Engine;
  readonly #ignoreEos: boolean;

  constructor(model: Model, engine: Engine, ignoreEos: boolean) {
    this.#model = model;
    this.#engine = engine;
    this.#ignoreEos = ignoreEos;
    this.sizer = sizerOf(model);
    const { architecture, description, name, parameterCount, sizeBytes, fingerprint } = model.info;
    this.identity = {
      type: "engine",
      model: {
        ...{ path: model.path, architecture, description, name, parameterCount, sizeBytes, fingerprint },
        devices: model.info.devices,
      },
      gpus: gpusOf(model),
      engine: engine.options,
      ignoreEos,
    };
  }

  async run(ask: Ask, progress: Progress, signal: AbortSignal): Promise<Ending> {
    const { outputTokens: maxTokens, temperature, seed } = ask;
    const shared = { maxTokens, temperature, seed, ignoreEos: this.#ignoreEos, signal };
    const generation = this.#engine.generate({ ...this.#contentOf(ask), ...shared });
    let text = "";
    try {
      for await (const event of generation) {
        if (event.type === "end") {
          const { finishReason, usage, timings } = event;
          const { queueMs, timeToFirstTokenMs: engineFirstTokenMs } = timings;
          if (finishReason === "cancelled") return { ...nothing, text, outcome: { type: "cancelled" } };
          return { outcome: { type: "finished", finishReason }, usage, queueMs, engineFirstTokenMs, text };
        }
        if (event.type === "choice-end" || event.type === "prompt") continue;
        if (event.tokens.length > 0) progress.arrived(performance.now(), event.tokens.length);
        if (event.type !== "tool-call-delta") text += event.text;
      }
    } catch (thrown) {
      return { ...nothing, text, outcome: outcomeOf(thrown) };
    }
    throw new Error("the generation had no end event");
  }

  /** A conversation is one text where the model has no chat template. */
  #contentOf({ content }: Ask): Ask["content"] {
    if ("prompt" in content || this.#model.info.chatTemplate !== null) return content;
    return { prompt: content.messages.map((message) => message.content).join("\n") };
  }

  counters(): TargetCounters {
    return this.#engine.stats();
  }

  kvUse(): number {
    const { kvCellsUsed, kvCellsTotal } = this.#engine.stats();
    return kvCellsUsed / kvCellsTotal;
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await this.#model.close();
  }
}

/** Each GPU that computes, as its driver names it. */
function gpusOf({ info }: Model): readonly string[] {
  const computing = info.devices.filter(({ layers, hasOutput }) => layers.length > 0 || hasOutput);
  return devices()
    .filter(({ name, type }) => type !== "cpu" && computing.some((each) => each.name === name))
    .map(({ description }) => description);
}

const nothing = { usage: null, queueMs: null, engineFirstTokenMs: null };

function outcomeOf(thrown: unknown): Outcome {
  if (!(thrown instanceof InferenceError)) throw thrown;
  if (thrown.code === "CANCELLED") return { type: "cancelled" };
  return { type: "failed", errorClass: thrown.code, sentence: thrown.message };
}

/** Cuts text where the model's tokenizer does; the begin token that it adds counts, too. */
function sizerOf(model: Model): PromptSizer {
  const added = model.info.addBos ? 1 : 0;
  return {
    overhead: added,
    cut(text, tokens) {
      const ids = model.tokenize(text, { addSpecial: false });
      return model.detokenize(ids.slice(0, Math.max(1, tokens - added)));
    },
    wordsFor: (tokens) => tokens + 1,
  };
}
