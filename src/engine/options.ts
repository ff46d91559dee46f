// What a caller may choose about a model and an engine: types, limits and
// defaults, and the judged forms the addon takes. Requests are in request.ts.
import { z } from "zod";
import { chatTemplateNames, chatTemplateText } from "../chat/templates.js";
import { invalidOption } from "../errors.js";
import type { ModelReference } from "../models/reference.js";
import type { CacheKind, KvType, NativeEngineOptions } from "../native.js";
import type { NativeCheckpointOptions } from "../native-checkpoint.js";
import type { CheckpointCacheOption } from "./cached-checkpoint.js";
import { type CheckpointOptions, checkpointSchema, nativeCheckpoint } from "./checkpoint-options.js";
import { abortSignal, callback, flag, integer, judge } from "./judge.js";
import { chooseKvCells, type KvLayout } from "./kv-layout.js";
import { loraName, loraScale, maximumLoras, nameOfFile, twice } from "./loras.js";
import type { Model } from "./model.js";
import { judgePath, judgeReference } from "./model-path.js";
import {
  type JudgedPlacement,
  judgePlacement,
  type PlacementOptions,
  placementShape,
} from "./placement-options.js";
import { show } from "./shown.js";

/** How to load a model. */
export interface ModelOptions extends PlacementOptions {
  /** Map the file instead of reading it; pages then load on first use. Default true. */
  readonly memoryMap?: boolean | undefined;
  /**
   * The chat template, in place of the file's: Jinja text of at most 256 KiB,
   * or the name of a format: "chatml", "llama2", "llama3", "gemma". Default: the file's.
   */
  readonly chatTemplate?: string | undefined;
  /** How a Hugging Face directory of safetensors is packed; GGUF files are loaded as they are. */
  readonly checkpoint?: CheckpointOptions | undefined;
  /**
   * Download what is not on this machine: a repository of the hub (hf:owner/name) or the file
   * at an https:// address. False: it must be there already. HF_HUB_OFFLINE=1 in the
   * environment is false for everything. Default true.
   */
  readonly download?: boolean | undefined;
  /**
   * Told the fraction of the work that is done, 1 before the load resolves, and which part of
   * the work it is. Loading is told about 50 times at most; where the model is downloaded
   * first, that is the fractions up to 0.9, told a few times a second, and loading the rest.
   * An exception it throws cancels the load, which rejects with that exception.
   */
  readonly onProgress?: ((fraction: number, progress: LoadProgress) => void) | undefined;
  /** Cancels the download and the load; the promise rejects with CANCELLED, its cause the reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Which part of loading a model is under way. */
export interface LoadProgress {
  /** Fetching its files, packing a checkpoint into the cache, or reading weights into memory. */
  readonly phase: "download" | "convert" | "load";
  /** Of a download: bytes on the disk; absent while loading. */
  readonly bytes?: number;
  /** Of a download: bytes of all its files; absent while loading. */
  readonly totalBytes?: number;
}

/** A LoRA adapter and how much of it to add. */
export interface LoraAdapter {
  /** By which requests choose it; no two are alike. Default: its file's, without the ending. */
  readonly name?: string | undefined;
  /**
   * Of its GGUF file; or what names it: hf:owner/name[:file-or-quantization][@revision] or an
   * https:// address, downloaded by createEngine() where it is not in the cache.
   */
  readonly path: string | URL;
  /** For requests that choose no adapters; 0: none of it. Default 1. */
  readonly scale?: number | undefined;
}

/** The shape of an engine: how many generate at once, how long, with what cache. */
export interface EngineOptions {
  /**
   * Generations computed at once, 1 to 256; more wait their turn. Default 8, and fewer where
   * memory has no room for their caches, which is logged.
   */
  readonly slots?: number | undefined;
  /**
   * Tokens of prompt and answer of one generation, from 16 to the length the
   * model was trained for. Memory of the cache grows with slots x contextLength; see
   * Model.memoryNeeded. Default: the length the model was trained for, at most 4096, and less
   * where memory has no room for one slot of it, which is logged.
   */
  readonly contextLength?: number | undefined;
  /**
   * contextLength cells for each slot ("streams"), or one pool of cells for all
   * ("unified"). In a pool, requests that begin alike share cells, and prompts share a
   * pass with those that generate; but attention looks at everybody's cells, which costs
   * twice the time for 32 unrelated requests. For models whose layers keep every
   * position, not with deterministic. Default "auto": streams, a pool with kvCells.
   */
  readonly kvLayout?: "auto" | KvLayout | undefined;
  /**
   * Cells of the pool, one per token: at least contextLength, at most 2^26. With fewer
   * than slots x contextLength, memory is for what generations use instead of what they
   * might: where none are left, the youngest waits until there are. Makes "auto" a
   * pool. Default: slots x contextLength.
   */
  readonly kvCells?: number | undefined;
  /** Prompt tokens computed in one pass at most, 16 to 8192. Default 512. */
  readonly prefillChunk?: number | undefined;
  /**
   * CPU threads of one pass, 1 to 512; more than the CPUs this process may use become as
   * many, which is logged. Engines that compute at the same time divide the CPUs. Default:
   * the CPUs this process may use, 1 for small models.
   */
  readonly threads?: number | undefined;
  /** Threads that choose tokens, 1 to 64. Default: chosen from the CPUs. */
  readonly samplerThreads?: number | undefined;
  /** Living generations, waiting ones included, at most; then QUEUE_FULL. 1 to 65536. Default 1024. */
  readonly queueLimit?: number | undefined;
  /**
   * Milliseconds a step should take at most: prompts are computed in smaller
   * pieces when running generations would wait longer. 1 to 60000. Default 100.
   */
  readonly interTokenLatencyMs?: number | undefined;
  /**
   * Number type of the KV cache: q8_0 halves the memory of f16 at a small loss, q4_0 leaves a
   * quarter of it at a larger one, bf16 is for models whose values are too large for f16.
   * Default "f16".
   */
  readonly kvType?: KvType | undefined;
  /**
   * Keep keys and values on the device of their layer; false keeps them in host memory, which
   * makes room for more layers and is slower. Without a GPU it changes nothing. Default true.
   */
  readonly kvOffload?: boolean | undefined;
  /** Fused attention kernels; q8_0 and q4_0 need them. Default true, false when deterministic. */
  readonly flashAttention?: boolean | undefined;
  /**
   * Keep what is computed, so that requests which begin alike compute their
   * common beginning once. Default true.
   */
  readonly promptCache?: boolean | undefined;
  /**
   * Bytes of host memory for evicted prompt prefixes and preempted generations, at most:
   * 0 to 2^40. Default: a quarter of the memory that the container or host has left beside
   * the engine, at most the size of the weights and the KV cache, at most 1 GiB.
   * `engine.options` and Model.memoryNeeded say how much that is.
   */
  readonly hostCacheBytes?: number | undefined;
  /**
   * The same text whatever is cached and whoever computes beside it: only
   * tokens of prompts are reused, and attention is not fused, whose kernels
   * round short and long pieces of a prompt differently. Holds on the CPU for
   * quantized weights; F16 and F32 weights keep differences of about 0.003 in
   * the logits by the number of rows computed together, as experts and sliding windows
   * do. Refused where layers lie on a GPU (INVALID_OPTION names it): its kernels round a row
   * by how many share its pass. Default false.
   */
  readonly deterministic?: boolean | undefined;
  /**
   * LoRA adapters to load, up to 16: GGUF files of differences to the model's matrices,
   * each added by its scale (-100 to 100, default 1) wherever a request's `loras` does not
   * say otherwise. Requests with different adapters share no pass and take turns; where
   * each has many requests, an engine per choice of adapters is faster. Default none.
   */
  readonly loras?: readonly LoraAdapter[] | undefined;
  /**
   * Guess the next tokens and compute several in one pass, where four generations or
   * fewer run and it was measured to pay: from what the text has said before (prompt
   * lookup), or with a draft model too. Texts stay what they are, but for rounding where
   * rows are computed together. A model that keeps one recurrent state cannot take guesses
   * back: it is not guessed for, and a draft model beside it is refused. Not with
   * deterministic. Default false.
   */
  readonly speculation?: boolean | SpeculationOptions | undefined;
}

/** A second model that guesses the next tokens of the first. */
export interface SpeculationOptions {
  /**
   * A loaded model of the same vocabulary, token by token, and far smaller. The engine
   * keeps it until it closes, in whatever order models are closed. It takes memory of its
   * own for four generations at most (see Model.memoryNeeded), reads texts of up to 512
   * tokens whole and of longer ones the last 128, and is used only while that is
   * measured to gain more than it costs.
   */
  readonly draftModel: Model;
  /**
   * Tokens it guesses in each step whatever that costs, 1 to 15: for comparing.
   * Default: as many as pay, none where they do not.
   */
  readonly draftTokens?: number | undefined;
}

/** What the judge of engine options must know about the model. */
export interface ModelLimits {
  /** Tokens the model was trained for. */
  readonly contextLength: number;
  readonly cacheKind: CacheKind;
  /** Tells a loaded model from other values. */
  readonly isModel: (value: unknown) => boolean;
}

/** Number types that a KV cache can have. */
export const kvTypes = ["f16", "bf16", "f32", "q8_0", "q4_0"] as const satisfies readonly KvType[];

const minimumContext = 16;
const defaultContext = 4096;
/** The addon's spelling of "choose for me". */
const chooseThreads = 0;
const chooseBytes = -1;

const maximumTemplateBytes = 256 * 1024;
const templatePhrase = `Jinja text of at most 256 KiB or one of ${chatTemplateNames.join(", ")}`;

// A bare word is a name that was meant to be known.
function isTemplate(value: unknown): boolean {
  if (typeof value !== "string" || Buffer.byteLength(value) > maximumTemplateBytes) return false;
  return !/^[\w.-]*$/.test(value) || chatTemplateNames.some((name) => name === value);
}

export const modelSchema = z.strictObject({
  ...placementShape,
  memoryMap: flag().default(true),
  chatTemplate: z.custom<string>(isTemplate, templatePhrase).optional(),
  checkpoint: checkpointSchema.prefault({}),
  onProgress: callback<(fraction: number, progress: LoadProgress) => void>().optional(),
  download: flag().default(true),
  signal: abortSignal().optional(),
});

export const loraSchema = z.strictObject(
  {
    name: loraName().optional(),
    path: z.custom<string | URL>(isPath, "the path of a GGUF file or a file: URL"),
    scale: loraScale().default(1),
  },
  "an adapter of { name, path, scale }",
);

function isPath(value: unknown): boolean {
  if (value instanceof URL) return value.protocol === "file:";
  return typeof value === "string" && value !== "" && !value.includes("\0");
}

export function engineSchema(limits: ModelLimits) {
  // A model trained for less than the minimum is still allowed its own length.
  const trained = Math.max(limits.contextLength, minimumContext);
  const contextLength = integer(minimumContext, trained, " (the length the model was trained for)");
  return z.strictObject({
    slots: integer(1, 256).default(8),
    contextLength: contextLength.default(Math.min(trained, defaultContext)),
    kvLayout: z.enum(["auto", "unified", "streams"], 'one of "auto", "unified", "streams"').default("auto"),
    kvCells: integer(minimumContext, 2 ** 26).optional(),
    prefillChunk: integer(16, 8192).default(512),
    threads: integer(1, 512).optional(),
    samplerThreads: integer(1, 64).optional(),
    queueLimit: integer(1, 65_536).default(1024),
    interTokenLatencyMs: integer(1, 60_000).default(100),
    kvType: z
      .enum(kvTypes, `one of ${kvTypes.map((type) => JSON.stringify(type)).join(", ")}`)
      .default("f16"),
    kvOffload: flag().default(true),
    flashAttention: flag().optional(),
    promptCache: flag().default(true),
    hostCacheBytes: integer(0, 2 ** 40).optional(),
    deterministic: flag().default(false),
    speculation: z
      .custom<boolean | object>(isSwitchOrObject, "true, false or { draftModel, draftTokens }")
      .default(false),
    loras: z
      .array(loraSchema, "an array of { name, path, scale }")
      .max(maximumLoras, `at most ${maximumLoras} adapters`)
      .default([]),
  });
}

function isSwitchOrObject(value: unknown): boolean {
  return typeof value === "boolean" || (typeof value === "object" && value !== null);
}

const mostDrafted = 15;
/** The addon's spelling of "as many as pay". */
const asManyAsPay = 0;

export function speculationSchema(limits: ModelLimits) {
  return z.strictObject({
    draftModel: z.custom<Model>(limits.isModel, "a model of loadModel()"),
    draftTokens: integer(1, mostDrafted).default(asManyAsPay),
  });
}

/** An engine in judged form: what the addon takes, and who drafts. */
export interface JudgedEngine extends NativeEngineOptions {
  readonly draftModel: Model | undefined;
}

function judgeSpeculation(call: string, given: boolean | object, limits: ModelLimits) {
  if (typeof given === "boolean") {
    return { speculation: given, draftModel: undefined, draftTokens: asManyAsPay };
  }
  const schema = z.strictObject({ speculation: speculationSchema(limits) });
  return { ...judge(call, schema, { speculation: given }).speculation, speculation: true };
}

/** A load in judged form: what the addon takes, and what stays on this side. */
export interface JudgedLoad {
  readonly reference: ModelReference;
  readonly placement: JudgedPlacement;
  readonly memoryMap: boolean;
  /** Where the path is a directory. */
  readonly checkpoint: NativeCheckpointOptions;
  /** Where it is kept once it is packed. */
  readonly checkpointCache: CheckpointCacheOption;
  readonly onProgress: ((fraction: number, progress: LoadProgress) => void) | undefined;
  readonly download: boolean;
  readonly signal: AbortSignal | undefined;
  /** A template's text. */
  readonly chatTemplate: string | undefined;
}

/** @throws InferenceError INVALID_OPTION */
export function judgeModelOptions(path: unknown, options: unknown): JudgedLoad {
  const reference = judgeReference("loadModel()", path);
  const judged = judge("loadModel()", modelSchema, options);
  const { memoryMap, onProgress, download, signal, chatTemplate } = judged;
  return {
    reference,
    checkpoint: nativeCheckpoint(judged.checkpoint),
    checkpointCache: judged.checkpoint.cache,
    placement: judgePlacement("loadModel()", judged),
    memoryMap,
    onProgress,
    download,
    signal,
    chatTemplate: chatTemplate === undefined ? undefined : chatTemplateText(chatTemplate),
  };
}

/** @throws InferenceError INVALID_OPTION */
export function judgeEngineOptions(call: string, options: unknown, limits: ModelLimits): JudgedEngine {
  const judged = judge(call, engineSchema(limits), options);
  const drafting = judgeSpeculation(call, judged.speculation, limits);
  const flashAttention = judged.flashAttention ?? !judged.deterministic;
  const refuse = (option: keyof EngineOptions, problem: string) => {
    throw invalidOption(call, [option], problem);
  };
  if (judged.deterministic && flashAttention) {
    refuse("flashAttention", "must be false when deterministic is true, got true");
  }
  if (judged.deterministic && drafting.speculation) {
    const got = drafting.draftModel === undefined ? "true" : "a draft model";
    refuse("speculation", `must be false when deterministic is true, got ${got}`);
  }
  // llama.cpp reads quantized values in fused attention only.
  if (/^q/.test(judged.kvType) && !flashAttention) {
    const type = JSON.stringify(judged.kvType);
    if (judged.deterministic)
      refuse("kvType", `must be "f16", "bf16" or "f32" when deterministic is true, got ${type}`);
    refuse("flashAttention", `must be true when kvType is ${type}, got false`);
  }
  const kvCells = chooseKvCells(call, judged, limits.cacheKind);
  const loras = judged.loras.map((given) => {
    const path = judgePath(call, given.path);
    return { name: given.name ?? nameOfFile(path), path, scale: given.scale };
  });
  const again = twice(loras.map(({ name }) => name));
  if (again !== undefined)
    refuse("loras", `must have a name each, ${show(again)} stands twice; give them names`);
  const { kvLayout: _, ...rest } = judged;
  return {
    ...rest,
    ...drafting,
    kvCells,
    loras,
    flashAttention,
    threads: judged.threads ?? chooseThreads,
    samplerThreads: judged.samplerThreads ?? chooseThreads,
    hostCacheBytes: judged.hostCacheBytes ?? chooseBytes,
  };
}
