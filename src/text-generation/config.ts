// The text-generation worker's configuration: worker-vllm's environment and a few
// variables of our own, as one judged value. A pure function of its record.
import { type EngineOptions, kvTypes } from "../engine/options.js";
import type { PlacementOptions } from "../engine/placement-options.js";
import { choiceOf, type Environment, flagOf, integerOf, numberOf, textOf, wrong } from "./environment.js";
import { ignoredVariables, refuseVariables } from "./known-variables.js";

/** What a guide's job leaves open. */
export interface GuideDefaults {
  readonly systemPrompt: string;
  readonly temperature: number;
  readonly topP: number;
  readonly maxTokens: number;
}

/** How worker-vllm's old format cuts streams into chunks, in tokens. */
export interface BatchSizes {
  readonly most: number;
  readonly least: number;
  readonly growth: number;
}

export interface TextGenerationConfig {
  /** Undefined: the embedded model. */
  readonly model: string | undefined;
  readonly revision: string | undefined;
  /** Folders that may hold models or a Hugging Face cache, best first. */
  readonly folders: readonly string[];
  /** Names that requests may use; empty: the reference's. */
  readonly servedNames: readonly string[];
  /** Jinja text, a format's name, or undefined for the file's own. */
  readonly chatTemplate: string | undefined;
  readonly engine: EngineOptions;
  /** Jobs at once at most; the engine's slots bound it too. */
  readonly concurrency: number;
  /** GPUs that the model is to be spread over; undefined: all. */
  readonly gpus: number | undefined;
  /** Where the model is to lie. */
  readonly placement: PlacementOptions;
  /** Whether a bare prompt is a guide's or worker-vllm's. */
  readonly inputFormat: "guide" | "vllm";
  readonly outputFormat: "vllm" | "vllm-legacy";
  readonly rawOutput: boolean;
  /** Refuse fields of requests that nobody defines. */
  readonly strictFields: boolean;
  readonly batches: BatchSizes;
  readonly guide: GuideDefaults;
  /** Answers kept; 0: none. */
  readonly cacheSize: number;
  readonly cacheBytes: number;
  /** Sentences for the log. */
  readonly notes: readonly string[];
}

const defaultConcurrency = 30;
const defaultCacheBytes = 64 * 2 ** 20;
const mostSlots = 256;

/** @throws InferenceError INVALID_OPTION naming the variable */
export function readTextGenerationConfig(environment: Environment): TextGenerationConfig {
  refuseVariables(environment);
  const role = textOf(environment, "OPENAI_RESPONSE_ROLE") ?? "assistant";
  if (role !== "assistant") throw wrong("OPENAI_RESPONSE_ROLE", '"assistant"', role);
  const concurrency = integerOf(environment, 1, "MAX_CONCURRENCY");
  return Object.freeze({
    model: textOf(environment, "MODEL_NAME", "RUNPOD_VLLM_MODEL", "LLAMA_CACHED_MODEL"),
    revision: textOf(environment, "MODEL_REVISION"),
    folders: foldersOf(environment),
    servedNames: namesOf(textOf(environment, "OPENAI_SERVED_MODEL_NAME_OVERRIDE", "SERVED_MODEL_NAME")),
    chatTemplate: textOf(environment, "CUSTOM_CHAT_TEMPLATE", "CHAT_TEMPLATE"),
    engine: engineOptions(environment, concurrency),
    concurrency: concurrency ?? defaultConcurrency,
    gpus: gpusOf(environment),
    placement: placementOptions(environment),
    inputFormat: choiceOf(environment, ["guide", "vllm"], "WORKER_INPUT_FORMAT") ?? "guide",
    outputFormat: choiceOf(environment, ["vllm", "vllm-legacy"], "WORKER_OUTPUT_FORMAT") ?? "vllm",
    rawOutput: flagOf(environment, "RAW_OPENAI_OUTPUT") ?? true,
    strictFields: flagOf(environment, "OPENAI_STRICT_FIELDS") ?? false,
    batches: batchSizes(environment),
    guide: guideDefaults(environment),
    cacheSize: integerOf(environment, 0, "CACHE_SIZE") ?? 0,
    cacheBytes: integerOf(environment, 0, "CACHE_BYTES") ?? defaultCacheBytes,
    notes: ignoredVariables(environment),
  });
}

function engineOptions(environment: Environment, concurrency: number | undefined): EngineOptions {
  const contextLength = lengthOf(environment);
  const slots = integerOf(environment, 1, "MAX_NUM_SEQS") ?? concurrency;
  const prefillChunk = integerOf(environment, 0, "MAX_NUM_BATCHED_TOKENS");
  const kvType = kvTypeOf(environment);
  const promptCache = flagOf(environment, "ENABLE_PREFIX_CACHING");
  return {
    ...(contextLength !== undefined && { contextLength }),
    ...(slots !== undefined && { slots: Math.min(slots, mostSlots) }),
    ...(prefillChunk !== undefined && prefillChunk > 0 && { prefillChunk }),
    ...(kvType !== undefined && { kvType }),
    ...(promptCache !== undefined && { promptCache }),
  };
}

/** As vLLM counts them: tensor parallel size times pipeline parallel size. */
function gpusOf(environment: Environment): number | undefined {
  const tensor = integerOf(environment, 1, "TENSOR_PARALLEL_SIZE");
  const pipeline = integerOf(environment, 1, "PIPELINE_PARALLEL_SIZE");
  if (tensor === undefined && pipeline === undefined) return undefined;
  return (tensor ?? 1) * (pipeline ?? 1);
}

/** DEVICE is worker-vllm's "auto", "cuda" or "cpu", or names of devices. */
function placementOptions(environment: Environment): PlacementOptions {
  const device = textOf(environment, "DEVICE");
  const layers = textOf(environment, "N_GPU_LAYERS", "GPU_LAYERS");
  const utilization = numberOf(environment, "GPU_MEMORY_UTILIZATION");
  const splitMode = choiceOf(environment, ["none", "layer", "row", "tensor"], "SPLIT_MODE");
  const split = textOf(environment, "TENSOR_SPLIT");
  return {
    ...(device !== undefined && { device: deviceOf(device) }),
    ...(layers !== undefined && { gpuLayers: layersOf(environment, layers) }),
    ...(utilization !== undefined && { gpuMemoryUtilization: utilizationOf(utilization) }),
    ...(splitMode !== undefined && { splitMode }),
    ...(split !== undefined && { tensorSplit: sharesOf(split) }),
  };
}

function deviceOf(given: string): string | readonly string[] {
  const lower = given.toLowerCase();
  if (lower === "cuda") return "gpu";
  if (lower === "auto" || lower === "gpu" || lower === "cpu") return lower;
  return given.split(",").map((name) => name.trim());
}

function layersOf(environment: Environment, given: string): number | "all" | "auto" {
  const lower = given.toLowerCase();
  if (lower === "all" || lower === "-1") return "all";
  return lower === "auto" ? lower : (integerOf(environment, 0, "N_GPU_LAYERS", "GPU_LAYERS") ?? 0);
}

function utilizationOf(given: number): number {
  if (given >= 0.01 && given <= 1) return given;
  throw wrong("GPU_MEMORY_UTILIZATION", "a number from 0.01 to 1", String(given));
}

function sharesOf(given: string): readonly number[] {
  const shares = given.split(",").map((text) => (text.trim() === "" ? Number.NaN : Number(text)));
  if (shares.every((share) => share >= 0)) return shares;
  throw wrong("TENSOR_SPLIT", "a number for each GPU, such as 3,1", given);
}

/** "8192", "8k"; "auto" and -1 leave it to the engine. */
function lengthOf(environment: Environment): number | undefined {
  const given = textOf(environment, "MAX_MODEL_LEN");
  if (given === undefined || given.toLowerCase() === "auto" || given === "-1") return undefined;
  const [, digits = "", unit = ""] = /^(\d+)([km]?)$/i.exec(given) ?? [];
  const factors: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2 };
  const length = Number(digits) * (factors[unit.toLowerCase()] ?? 1);
  if (length > 0) return length;
  throw wrong("MAX_MODEL_LEN", 'a number of tokens such as 8192 or 8k, or "auto"', given);
}

function kvTypeOf(environment: Environment): EngineOptions["kvType"] {
  const given = choiceOf(environment, ["auto", "fp8", "bfloat16", ...kvTypes], "KV_CACHE_DTYPE");
  if (given === "auto") return undefined;
  if (given === "fp8") return "q8_0";
  return given === "bfloat16" ? "bf16" : given;
}

function foldersOf(environment: Environment): readonly string[] {
  const base = textOf(environment, "BASE_PATH") ?? "/runpod-volume";
  const home = textOf(environment, "HF_HOME");
  const cache = textOf(environment, "HUGGINGFACE_HUB_CACHE", "HF_HUB_CACHE");
  const volume = [`${base}/huggingface-cache/hub`, `${base}/models`, base];
  const folders = [textOf(environment, "DOWNLOAD_DIR"), cache, home && `${home}/hub`, ...volume];
  return [...new Set(folders.filter((folder) => folder !== undefined))];
}

function namesOf(list: string | undefined): readonly string[] {
  return list?.split(/[\s,]+/).filter((name) => name !== "") ?? [];
}

function batchSizes(environment: Environment): BatchSizes {
  return {
    most: integerOf(environment, 1, "DEFAULT_BATCH_SIZE") ?? 50,
    least: integerOf(environment, 1, "MIN_BATCH_SIZE", "DEFAULT_MIN_BATCH_SIZE") ?? 1,
    growth: numberOf(environment, "BATCH_SIZE_GROWTH_FACTOR", "DEFAULT_BATCH_SIZE_GROWTH_FACTOR") ?? 3,
  };
}

function guideDefaults(environment: Environment): GuideDefaults {
  return {
    systemPrompt: environment.SYSTEM_PROMPT ?? "You are a helpful AI assistant.",
    temperature: numberOf(environment, "DEFAULT_TEMPERATURE") ?? 0.7,
    topP: numberOf(environment, "DEFAULT_TOP_P") ?? 0.95,
    maxTokens: integerOf(environment, 1, "DEFAULT_MAX_TOKENS") ?? 512,
  };
}
