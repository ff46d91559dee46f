// The flags that more than one command has, each defined once: what a model is opened with,
// and how tokens are chosen. commander spells them as the options they become.
import { InvalidArgumentError, Option } from "commander";
import type { EngineOptions, GenerateRequest, PlacementOptions, SplitMode } from "../index.js";

/** What a model and its engine are opened with. */
export type ModelFlags = Pick<EngineOptions, "contextLength" | "threads"> &
  PlacementOptions & { readonly draftModel?: string };

/** How an answer's tokens are chosen, and where it ends. */
export type AnswerFlags = Pick<
  GenerateRequest,
  | "maxTokens"
  | "temperature"
  | "topK"
  | "topP"
  | "minP"
  | "repeatPenalty"
  | "frequencyPenalty"
  | "presencePenalty"
  | "penaltyWindow"
  | "seed"
  | "stop"
  | "ignoreEos"
>;

/** What a model is named by, in help texts. */
export const modelForms = "a GGUF file, a folder, hf:owner/name[:type] or an https:// address";

/** `-m`, for commands that take a model as a flag. */
export function modelFlag(): Option {
  return new Option("-m, --model <model>", `${modelForms} (default: the small story model in the package)`);
}

/** The flags of ModelFlags. */
export function modelFlags(): Option[] {
  return [
    new Option("--draft-model <model>", "a smaller model of the same vocabulary, for speculative decoding"),
    numeric(
      "-c, --context-length <tokens>",
      "tokens of prompt and answer together (default: the model's, at most 4096)",
    ),
    ...placementFlags(),
    numeric("--threads <count>", "CPU threads (default: the CPUs this process may use)"),
  ];
}

/** Where a model is to lie. */
function placementFlags(): Option[] {
  return [
    new Option(
      "--device <names>",
      '"auto" (default), "gpu", "cpu", or names of `infernode doctor`: CUDA0,CUDA1',
    ).argParser(parseDevice),
    new Option(
      "--gpu-layers <count>",
      'layers to place on the GPU, "all" (default) or "auto": as many as fit',
    ).argParser(parseLayers),
    new Option("--split-mode <mode>", "how several GPUs share the model (default: layer)").choices(
      splitModes,
    ),
    new Option("--tensor-split <shares>", "how much each GPU gets: 3,1 (default: by free memory)").argParser(
      parseShares,
    ),
    new Option("--main-gpu <name>", "with --split-mode none: the GPU, by name or place").argParser(parseMain),
    numeric("--gpu-memory-utilization <share>", "of a GPU's memory, for --gpu-layers auto (default: 1)"),
  ];
}

const splitModes: readonly SplitMode[] = ["none", "layer", "row", "tensor"];

/** The options of placement among flags. */
export function placementOf(flags: PlacementOptions): PlacementOptions {
  const { device, gpuLayers, splitMode, tensorSplit, mainGpu, gpuMemoryUtilization } = flags;
  return { device, gpuLayers, splitMode, tensorSplit, mainGpu, gpuMemoryUtilization };
}

/**
 * The flags of AnswerFlags.
 * @param maxTokens its default; undefined: until the context is full
 */
export function answerFlags(maxTokens?: number): Option[] {
  const untilFull = maxTokens === undefined ? " (default: until the context is full)" : "";
  return [
    numeric("-n, --max-tokens <count>", `tokens to generate at most${untilFull}`).default(maxTokens),
    numeric("-t, --temperature <number>", "0 always picks the likeliest token (default: 0.7)"),
    numeric("--top-k <count>", "sample from the likeliest tokens only, 0 for all (default: 0)"),
    numeric("--top-p <share>", "sample from the likeliest tokens of this total probability (default: 0.95)"),
    numeric("--min-p <share>", "drop tokens less likely than this share of the likeliest (default: 0)"),
    numeric("--repeat-penalty <factor>", "above 1 makes tokens of prompt and text less likely (default: 1)"),
    numeric("--frequency-penalty <number>", "-2 to 2, per occurrence in the text (default: 0)"),
    numeric("--presence-penalty <number>", "-2 to 2, once per token of the text (default: 0)"),
    numeric("--penalty-window <count>", "last tokens the penalties count, -1 for all (default: -1)"),
    new Option("-s, --seed <integer>", "same seed, same text (default: random)").argParser(parseSeed),
    new Option("--stop <text>", "end before this text; can be repeated, up to 16 times").argParser(collect),
    new Option("--ignore-eos", "continue past the model's end token"),
  ];
}

function numeric(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseNumber);
}

/** A flag's number. Ranges are judged by the library. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("Expected a number.");
  return value;
}

/** A seed: text where a number would lose digits. */
function parseSeed(text: string): number | string {
  const value = parseNumber(text);
  return /^\d+$/.test(text) && !Number.isSafeInteger(value) ? text : value;
}

/** Layers on the GPU: a number, "all" or "auto". */
function parseLayers(text: string): number | "all" | "auto" {
  return text === "all" || text === "auto" ? text : parseNumber(text);
}

/** One name, or several that commas separate. */
function parseDevice(text: string): string | readonly string[] {
  return text.includes(",") ? text.split(",").map((name) => name.trim()) : text;
}

function parseShares(text: string): readonly number[] {
  return text.split(",").map(parseNumber);
}

function parseMain(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** Collects a flag that may be given several times. */
function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}
