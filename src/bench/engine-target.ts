// An engine of this process as a benchmark's target, through the package's public interface.
import { InferenceError } from "../errors.js";
import { devices, type Engine, loadModel, type Model, type ModelDevice } from "../index.js";
import {
  costOfModel,
  cpuKernels,
  type DeviceProbe,
  gpuPower,
  probeDevice,
} from "../models/plan/device-probe.js";
import { gpuNamed } from "../models/plan/gpu-names.js";
import type { PhysicsFacts } from "./physics.js";
import type { PowerSource } from "./power.js";
import type { PromptSizer } from "./prompt-text.js";
import type { Ask, Ending, Outcome, Progress } from "./record.js";
import type { Continuation, Score, Target, TargetCounters } from "./target.js";

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

/** llama.cpp allocates cells of a KV cache in blocks. */
const cellBlock = 256;

class EngineTarget implements Target {
  readonly identity: Readonly<Record<string, unknown>>;
  readonly sizer: PromptSizer;
  readonly lookEveryMs = 50;
  readonly power: PowerSource | null;
  readonly #model: Model;
  readonly #engine: Engine;
  readonly #ignoreEos: boolean;

  constructor(model: Model, engine: Engine, ignoreEos: boolean) {
    this.#model = model;
    this.#engine = engine;
    this.#ignoreEos = ignoreEos;
    this.sizer = sizerOf(model);
    const gpus = gpusOf(model);
    this.power = gpus.length === 0 ? null : { read: gpuPower, names: gpus };
    const { architecture, description, name, parameterCount, sizeBytes, fingerprint } = model.info;
    this.identity = {
      type: "engine",
      model: {
        ...{ path: model.path, architecture, description, name, parameterCount, sizeBytes, fingerprint },
        devices: model.info.devices,
      },
      gpus,
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

  async score(prompt: string, signal: AbortSignal): Promise<Score> {
    try {
      const order = {
        ...{ prompt, maxTokens: 1, temperature: 0, ignoreEos: true },
        promptLogProbs: 0,
        signal,
      };
      const { promptLogProbs = [] } = await this.#engine.generate(order);
      const logProbs = promptLogProbs.map(({ logProb }) => logProb).filter((each) => each !== null);
      return { type: "scored", logProbs };
    } catch (thrown) {
      return { type: "none", reason: sentenceOf(outcomeOf(thrown)) };
    }
  }

  async continued(prompt: string, maxTokens: number, signal: AbortSignal): Promise<Continuation> {
    try {
      const { text } = await this.#engine.generate({ prompt, maxTokens, temperature: 0, signal });
      return { type: "text", text };
    } catch (thrown) {
      return { type: "none", reason: sentenceOf(outcomeOf(thrown)) };
    }
  }

  /** A conversation is one text where the model has no chat template. */
  #contentOf({ content }: Ask): Ask["content"] {
    if ("prompt" in content || this.#model.info.chatTemplate !== null) return content;
    return { prompt: content.messages.map((message) => message.content).join("\n") };
  }

  /** Each request tells how long it waited: latency.queueMs. */
  async counters(): Promise<TargetCounters> {
    return { ...this.#engine.stats(), queuedMs: null, queuedRequests: null };
  }

  async kvUse(): Promise<number> {
    const { kvCellsUsed, kvCellsTotal } = this.#engine.stats();
    return kvCellsUsed / kvCellsTotal;
  }

  async physics(): Promise<PhysicsFacts> {
    const { threads, contextLength, kvType } = this.#engine.options;
    const cost = await costOfModel(this.#model.path);
    const { kvBytes } = this.#model.memoryNeeded({ slots: 1, contextLength, kvType });
    const computing = computingDevices(this.#model);
    const weights = computing.map(({ weightBytes }) => weightBytes);
    const probes: DeviceProbe[] = [];
    for (const { name, type } of computing) {
      const kind = type === "cpu" ? "cpu" : "gpu";
      probes.push(await probeDevice(cost, { device: name, kind, threads }));
    }
    const all = weights.reduce((sum, bytes) => sum + bytes, 0);
    return {
      ...{ cost, kvBytesPerToken: kvBytes / (Math.ceil(contextLength / cellBlock) * cellBlock), probes },
      shares: weights.map((bytes) => bytes / all),
      kernels: computing.flatMap(({ type, backend }) => (type === "cpu" ? cpuKernels() : [backend])),
      datasheetF16: datasheetOf(computing),
    };
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await this.#model.close();
  }
}

type ComputingDevice = ReturnType<typeof devices>[number] & Pick<ModelDevice, "weightBytes">;

/** The devices that hold layers; the host keeps token embeddings, whatever computes. */
function computingDevices({ info }: Model): readonly ComputingDevice[] {
  return info.devices
    .filter(({ layers, hasOutput }) => layers.length > 0 || hasOutput)
    .flatMap(({ name, weightBytes }) => {
      const device = devices().find((each) => each.name === name);
      return device === undefined ? [] : [{ ...device, weightBytes }];
    });
}

/** Each GPU that computes, as its driver names it. */
function gpusOf(model: Model): readonly string[] {
  return computingDevices(model)
    .filter(({ type }) => type !== "cpu")
    .map(({ description }) => description);
}

/** A pass goes through the devices one after the other. */
function datasheetOf(computing: readonly ComputingDevice[]): number | null {
  const rates = computing.map(({ type, description }) =>
    type === "cpu" ? undefined : gpuNamed(description)?.f16Tflops,
  );
  const all = computing.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
  let seconds = 0;
  for (const [at, rate] of rates.entries()) {
    if (rate === undefined) return null;
    seconds += (computing[at]?.weightBytes ?? 0) / all / (rate * 1e12);
  }
  return seconds > 0 ? 1 / seconds : null;
}

function sentenceOf(outcome: Outcome): string {
  return outcome.type === "failed" ? outcome.sentence : "the run was cancelled";
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
