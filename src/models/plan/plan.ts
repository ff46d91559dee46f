// planModel(): what a model needs and how fast it can be, from its headers alone. Memory is
// measured by the code that judges a load; speed is a ceiling by bandwidth and matrix rate
// with the band that measured runs reach. Loads no weights.
import { z } from "zod";
import { outlinedCheckpoint } from "../../engine/checkpoint-options.js";
import { abortSignal, flag, integer, judge } from "../../engine/judge.js";
import { jsonMetadata } from "../../engine/metadata.js";
import type { MemoryNeeded } from "../../engine/model.js";
import { checkpointAt, locateHere, type ModelLocation } from "../../engine/model-location.js";
import { judgeReference, modelFailure } from "../../engine/model-path.js";
import { kvTypes } from "../../engine/options.js";
import type { KvType, NativeModelOptions } from "../../native.js";
import { native } from "../../native-addon.js";
import { hubSettings } from "../hub-environment.js";
import { findHere } from "../obtain.js";
import type { ModelReference } from "../reference.js";
import {
  type Ceiling,
  cpuCeiling,
  gpuCeiling,
  gpuEfficiency,
  promptPiece,
  type Workload,
} from "./ceilings.js";
import { measuredSlots, slotsThatFit } from "./fit.js";
import { type GpuFacts, gpus, guideRows } from "./gpus.js";
import { costOf, type ModelCost } from "./model-cost.js";
import { probeCpu } from "./probe.js";
import { fetchHeaders } from "./remote-headers.js";

/** What to plan for. */
export interface PlanOptions {
  /** Requests computed at once, 1 to 256. Default 8. */
  readonly slots?: number | undefined;
  /** Tokens of prompt and answer of one request. Default: the model's, at most 4096. */
  readonly contextLength?: number | undefined;
  /** Number type of the KV cache. Default "f16". */
  readonly kvType?: KvType | undefined;
  /**
   * Whether this machine's CPU is measured, which takes about a second of all its cores.
   * Default true.
   */
  readonly measureCpu?: boolean | undefined;
  /** Cancels the download of headers; the promise rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

/** A range that measured runs fall into; the ceiling is what no run can pass. */
export interface PlanBand {
  /** The range's lower end. */
  readonly low: number;
  /** The range's upper end. */
  readonly high: number;
  /** What memory bandwidth and matrix rate allow. */
  readonly ceiling: number;
}

/** One device of a plan. */
export interface PlanRow {
  /** "RTX 4090"; "this CPU". */
  readonly device: string;
  /** Bytes that a model may use there. */
  readonly memoryBytes: number;
  /** Whether the model fits with the slots that were asked for. */
  readonly fits: boolean;
  /** The most slots of this context length that fit, at most 256. */
  readonly slotsThatFit: number;
  /** Slots of the figures below: those asked for, or as many as fit; 0: it does not fit at all. */
  readonly slots: number;
  /** Generated tokens per second of all slots together. */
  readonly tokensPerSecond: PlanBand | null;
  /**
   * Of the longest prompt that leaves half of the context, at most 512 tokens, computed alone.
   * Models of a few million weights take longer than the band: costs that every pass has, such
   * as waking threads, are most of their time and are not counted.
   */
  readonly timeToFirstTokenMs: PlanBand | null;
  /** Between two tokens of one request, all slots busy. */
  readonly interTokenLatencyMs: PlanBand | null;
  /** US dollars per million generated tokens, all slots busy; null where there is no price. */
  readonly dollarsPerMillionTokens: PlanBand | null;
}

/** What the platforms' guides recommend for a size of models, beside this model's memory. */
export interface PlanGuideRow {
  /** "13-14B". */
  readonly models: string;
  /** "A10G". */
  readonly gpu: string;
  /** Weights of the class's smallest and largest model, at this model's bits per weight. */
  readonly weightBytes: readonly [number, number];
  /** Whether the largest one fits beside one slot's cache, the smallest one only, or neither. */
  readonly fits: "all" | "smallest" | "none";
}

/** What planModel() tells. */
export interface ModelPlan {
  /** llama.cpp's name of the architecture, such as "qwen3". */
  readonly architecture: string;
  /** Weights in all. */
  readonly parameters: number;
  /** Of all tensors on average. */
  readonly bitsPerWeight: number;
  /** Slots that were asked for. */
  readonly slots: number;
  /** Tokens of prompt and answer of one request. */
  readonly contextLength: number;
  /** Of one token of one request, over all layers, on average over the context. */
  readonly kvBytesPerToken: number;
  /** Memory of an engine with these slots and this context. */
  readonly memory: Omit<MemoryNeeded, "hostCacheBytes" | "devices">;
  /** This machine's CPU first, then GPUs by memory. */
  readonly rows: readonly PlanRow[];
  /** What guides recommend by model size. */
  readonly guide: readonly PlanGuideRow[];
}

const defaultSlots = 8;
const defaultContext = 4096;
/** Of a GPU: its driver's context and the CUDA libraries' workspaces. */
const gpuReservedBytes = 0.6e9;

/**
 * Estimates memory and speed of a model on this CPU and on the GPUs of a table, without
 * loading its weights or blocking the event loop. Of a model that is not on this machine, only
 * the headers are downloaded, some megabytes.
 * @param path as loadModel() takes it
 * @throws InferenceError (rejects) INVALID_OPTION, the MODEL_ codes of a bad file, and those of
 *   pullModel() where headers are downloaded
 */
export async function planModel(path: string | URL, options: PlanOptions = {}): Promise<ModelPlan> {
  const judged = judge(call, optionsSchema, options);
  const reference = judgeReference(call, path);
  const remote = isRemote(reference)
    ? await fetchHeaders(reference, hubSettings(), judged.signal)
    : undefined;
  try {
    const location = remote ? { path: remote.path, synthetic: null } : locateHere(call, reference);
    return await planAt({ ...location, checkpoint: checkpointAt(location, outlinedCheckpoint) }, judged);
  } catch (thrown) {
    throw modelFailure(thrown, path);
  } finally {
    await remote?.remove();
  }
}

const call = "planModel()";

function isRemote(
  reference: ModelReference,
): reference is Extract<ModelReference, { type: "hub" | "address" }> {
  if (reference.type !== "hub" && reference.type !== "address") return false;
  return findHere(reference, { settings: hubSettings }) === undefined;
}

type PlannedModel = ModelLocation & Pick<NativeModelOptions, "checkpoint">;

async function planAt(location: PlannedModel, options: z.output<typeof optionsSchema>): Promise<ModelPlan> {
  const { metadata: values, tensors } = await native().inspectAsync(
    location.path,
    location.synthetic,
    location.checkpoint,
  );
  const metadata = jsonMetadata(values);
  const trained = trainedContext(metadata);
  const contextLength = options.contextLength ?? Math.min(trained, defaultContext);
  judge(call, z.object({ contextLength: integer(16, trained) }), { contextLength });
  const shape = { slots: options.slots, contextLength, kvType: options.kvType };
  const sizes = await measure(location, shape);
  const cost = costOf(tensors, metadata);
  const workload = workloadOf(shape, sizes.of(1).kvBytes);
  return {
    architecture: String(metadata["general.architecture"]),
    parameters: cost.parameters,
    bitsPerWeight: (8 * cost.weightBytes) / cost.parameters,
    slots: shape.slots,
    contextLength,
    kvBytesPerToken: sizes.of(1).kvBytes / contextLength,
    memory: sizes.of(shape.slots),
    rows: [
      await cpuRow(cost, sizes, workload, options.measureCpu),
      ...gpus.map((gpu) => gpuRow(gpu, cost, sizes, workload)),
    ],
    guide: guideFor(cost, sizes.of(1)),
  };
}

const optionsSchema = z.strictObject({
  slots: integer(1, 256).default(defaultSlots),
  contextLength: integer(16, 2 ** 26).optional(),
  kvType: z.enum(kvTypes).default("f16"),
  measureCpu: flag().default(true),
  signal: abortSignal().optional(),
});

type Shape = {
  readonly slots: number;
  readonly contextLength: number;
  readonly kvType: KvType;
};
type Needed = Omit<MemoryNeeded, "hostCacheBytes" | "devices">;

interface Sizes {
  of(slots: number): Needed;
  /** Of what lies beside a model's weights where it is computed; its vocabulary is on the host. */
  readonly all: readonly { readonly slots: number; readonly bytes: number }[];
}

/** Asks the addon for the memory of several numbers of slots. */
async function measure(location: PlannedModel, { slots, contextLength, kvType }: Shape): Promise<Sizes> {
  const counts = [...new Set([...measuredSlots, slots])].sort((one, other) => one - other);
  const needed = await native().measure({ ...location, slots: counts, contextLength, kvType });
  const bySlots = new Map(counts.map((count, at) => [count, needed[at] as Needed]));
  return {
    of: (count) => bySlots.get(count) as Needed,
    all: counts.map((count) => ({ slots: count, bytes: total(bySlots.get(count) as Needed) })),
  };
}

function total({ weightBytes, kvBytes, computeBytes }: Needed): number {
  return weightBytes + kvBytes + computeBytes;
}

/** Requests are half as long as the context on average. */
function workloadOf({ slots, contextLength }: Shape, kvBytes: number): Workload {
  const half = Math.ceil(contextLength / 2);
  return { slots, promptTokens: Math.min(half, promptPiece), kvBytes: kvBytes / 2 };
}

function gpuRow(gpu: GpuFacts, cost: ModelCost, sizes: Sizes, wanted: Workload): PlanRow {
  const memoryBytes = gpu.memoryGb * 1e9 - gpuReservedBytes;
  const most = slotsThatFit(sizes.all, memoryBytes);
  const slots = Math.min(wanted.slots, most);
  const ceiling = slots === 0 ? null : gpuCeiling(cost, gpu, { ...wanted, slots });
  return row(gpu.name, { memoryBytes, most, slots, wanted }, ceiling, gpuEfficiency, gpu.dollarsPerSecond);
}

async function cpuRow(cost: ModelCost, sizes: Sizes, wanted: Workload, measured: boolean): Promise<PlanRow> {
  const memoryBytes = process.availableMemory();
  const most = slotsThatFit(sizes.all, memoryBytes - sizes.of(1).vocabularyBytes);
  const slots = Math.min(wanted.slots, most);
  const place = { memoryBytes, most, slots, wanted };
  if (!measured || slots === 0) return row("this CPU", place, null, cpuEfficiency, null);
  const workload = { ...wanted, slots };
  const widths = [slots, Math.min(wanted.promptTokens, promptPiece)];
  const { secondsOf, secondsPerByte } = await probeCpu(cost, widths, slots * wanted.kvBytes);
  return row("this CPU", place, cpuCeiling(cost, workload, secondsOf, secondsPerByte), cpuEfficiency, null);
}

/**
 * Shares of the ceiling that engines of this package reached on a quiet two-core CPU (table in
 * decision 0043); the rest is attention, norms, sampling and threads that wait for each other.
 */
const cpuEfficiency = { low: 0.3, high: 1 } as const;

interface Place {
  readonly memoryBytes: number;
  readonly most: number;
  readonly slots: number;
  readonly wanted: Workload;
}

function row(
  device: string,
  { memoryBytes, most, slots, wanted }: Place,
  ceiling: Ceiling | null,
  { low, high }: { readonly low: number; readonly high: number },
  dollarsPerSecond: number | null,
): PlanRow {
  const fits = most >= wanted.slots;
  const place = { device, memoryBytes, fits, slotsThatFit: most, slots };
  if (ceiling === null) {
    const none = { tokensPerSecond: null, timeToFirstTokenMs: null, interTokenLatencyMs: null };
    return { ...place, ...none, dollarsPerMillionTokens: null };
  }
  const rate = slots / ceiling.stepSeconds;
  const latency = (seconds: number): PlanBand => ({
    low: (1000 * seconds) / high,
    high: (1000 * seconds) / low,
    ceiling: 1000 * seconds,
  });
  const cost = (share: number) => ((dollarsPerSecond ?? 0) / (rate * share)) * 1e6;
  return {
    ...place,
    tokensPerSecond: { low: rate * low, high: rate * high, ceiling: rate },
    timeToFirstTokenMs: latency(ceiling.promptSeconds),
    interTokenLatencyMs: latency(ceiling.stepSeconds),
    dollarsPerMillionTokens:
      dollarsPerSecond === null ? null : { low: cost(high), high: cost(low), ceiling: cost(1) },
  };
}

/** The guide's rows, with models of those sizes at this model's bits per weight. */
function guideFor(cost: ModelCost, { kvBytes, computeBytes }: Needed): PlanGuideRow[] {
  const bytesPerWeight = cost.weightBytes / cost.parameters;
  return guideRows.flatMap(({ models, billions: [least, most], gpus: names }) =>
    gpus
      .filter(({ name }) => names.includes(name))
      .map(({ name, memoryGb }) => {
        const weightBytes = [least * 1e9 * bytesPerWeight, most * 1e9 * bytesPerWeight] as const;
        const room = memoryGb * 1e9 - gpuReservedBytes - kvBytes - computeBytes;
        const fits = weightBytes[1] <= room ? "all" : weightBytes[0] <= room ? "smallest" : "none";
        return { models, gpu: name, weightBytes, fits } as const;
      }),
  );
}

function trainedContext(metadata: Readonly<Record<string, unknown>>): number {
  const length = metadata[`${String(metadata["general.architecture"])}.context_length`];
  return typeof length === "number" && length >= 16 ? length : 2 ** 26;
}
