// Embeddings: what may be asked for, and the vectors out of the addon's ends.
import { z } from "zod";
import { InferenceError, invalidOption, type NameOption, type OptionPath, spelledPath } from "../errors.js";
import type { NativeEnd } from "../native-events.js";
import { cancelledByClosing } from "./hidden-runs.js";
import { abortSignal, flag, judge } from "./judge.js";
import type { LoraChoice } from "./loras.js";

/** A text, or token ids of the model's vocabulary. */
export type EmbedInput = string | Int32Array;

/** How to embed. */
export interface EmbedOptions {
  /** Scale each embedding to length 1. Default true. */
  readonly normalize?: boolean | undefined;
  /** Share what is computed with requests that begin alike. Default true. */
  readonly cache?: boolean | undefined;
  /** As GenerateRequest.cacheSalt. Default "". */
  readonly cacheSalt?: string | undefined;
  /** As GenerateRequest.loras. Default: as the engine was made. */
  readonly loras?: readonly LoraChoice[] | undefined;
  /** Cancels all of them. */
  readonly signal?: AbortSignal | undefined;
}

/** A vector that JSON holds as a list of numbers; so are the parts that slice() takes of it. */
export class Embedding extends Float32Array {
  /** The numbers as a list. */
  toJSON(): number[] {
    return Array.from(this);
  }
}

/** Embeddings in the order of their inputs. */
export interface EmbedResult {
  /** One per input, of the model's embedding length; lists of numbers in JSON. */
  readonly embeddings: readonly Embedding[];
  /** Token counts of the whole call. */
  readonly usage: {
    /** Tokens of all inputs, special tokens included. */
    readonly promptTokens: number;
    /** Those of them that were computed before. */
    readonly cachedPromptTokens: number;
  };
}

const maximumInputs = 2048;
const inputPhrase = `a text or an Int32Array of token ids, or 1 to ${maximumInputs} of them`;

function isInput(value: unknown): boolean {
  return typeof value === "string" || value instanceof Int32Array;
}

function areInputs(value: unknown): boolean {
  if (!Array.isArray(value)) return isInput(value);
  return value.length > 0 && value.length <= maximumInputs && value.every(isInput);
}

const inputsSchema = z.strictObject({
  inputs: z.custom<EmbedInput | readonly EmbedInput[]>(areInputs, inputPhrase),
});

export const optionsSchema = z.strictObject({
  normalize: flag().default(true),
  cache: flag().optional(),
  cacheSalt: z.string("a string").optional(),
  loras: z.custom<readonly LoraChoice[]>().optional(), // judged with the request
  signal: abortSignal().optional(),
});

/** @throws InferenceError INVALID_OPTION */
export function judgeEmbed(given: unknown, options: EmbedOptions) {
  const judged = judge("embed()", optionsSchema, options);
  const { inputs } = judge("embed()", inputsSchema, { inputs: given });
  if (typeof inputs !== "string" && !(inputs instanceof Int32Array)) {
    return { ...judged, inputs, place: (index: number): OptionPath => ["inputs", index] };
  }
  return { ...judged, inputs: [inputs], place: (): OptionPath => ["inputs"] };
}

/** A refusal names the input it is of, which is the prompt of its request. */
export function inputFailure(failure: unknown, place: OptionPath): unknown {
  if (!(failure instanceof InferenceError)) return failure;
  const { code, message, path } = failure;
  if (code !== "CONTEXT_OVERFLOW" && code !== "INVALID_OPTION") return failure;
  const atInput = (given: OptionPath) => (given[0] === "prompt" ? [...place, ...given.slice(1)] : given);
  const sentence = (name: NameOption) => failure.sentence((given) => name(atInput(given)));
  if (path === undefined) return new InferenceError(code, `embed(): ${spelledPath(place)}: ${message}`);
  const facts = { path: atInput(path), sentence };
  return new InferenceError(code, `embed(): ${sentence(spelledPath)}`, facts);
}

/** llama.cpp's numbers of the ways in which models take their embeddings. */
const poolings: ReadonlyMap<number, string> = new Map([
  [1, "the mean of all tokens"],
  [2, "the first token"],
]);
/** Another one: a reranker's scores. */
const rank = 4;

/**
 * Models that say nothing, or that say the last token, can be asked.
 * @throws InferenceError INVALID_OPTION
 */
export function refusePooling(type: number | undefined): void {
  if (type === rank) {
    throw invalidOption("embed()", [], "this model is a reranker, which gives scores: use rerank()");
  }
  const way = type === undefined ? undefined : poolings.get(type);
  if (way === undefined) return;
  throw new InferenceError(
    "INVALID_OPTION",
    `embed(): the model's embeddings must be those of the last token, its file says ${way}`,
  );
}

/** The vectors of ended requests. */
export function embedResult(ends: readonly (NativeEnd | undefined)[], normalize: boolean): EmbedResult {
  const embeddings: Embedding[] = [];
  let promptTokens = 0;
  let cachedPromptTokens = 0;
  for (const end of ends) {
    if (end?.embedding === undefined) throw cancelledByClosing("embed()");
    embeddings.push(new Embedding(normalize ? unit(end.embedding) : end.embedding));
    promptTokens += end.promptTokens;
    cachedPromptTokens += end.cachedPromptTokens;
  }
  return { embeddings, usage: { promptTokens, cachedPromptTokens } };
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : vector;
}
