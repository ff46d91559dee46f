// Reranking: what may be asked for, which models can be asked, the prompt of each
// document and the order their scores give. The scores are the addon's.
import { z } from "zod";
import { InferenceError } from "../errors.js";
import type { NativePromptForm } from "../native.js";
import type { NativeEnd } from "../native-events.js";
import { cancelledByClosing } from "./hidden-runs.js";
import { abortSignal, flag, integer, judge } from "./judge.js";
import type { LoraChoice } from "./loras.js";
import { show } from "./shown.js";

/** Documents to order by how well they answer a query. */
export interface RerankRequest {
  /** Not empty. */
  readonly query: string;
  /** 1 to 2048 texts, none empty. Each is one of the engine's living requests (queueLimit). */
  readonly documents: readonly string[];
  /** Of the best, how many to tell of, from 1. Default all. */
  readonly topN?: number | undefined;
  /** Tell each document's text with its result. Default false. */
  readonly returnDocuments?: boolean | undefined;
  /**
   * The prompt with `{query}` and `{document}` in it, such as one with an instruction of
   * your own; special tokens in it count as such, in the texts they do not. Up to 64 KiB.
   * Default: the one named "rerank" in the model's file.
   */
  readonly template?: string | undefined;
  /** Share what is computed with requests that begin alike. Default true. */
  readonly cache?: boolean | undefined;
  /** As GenerateRequest.cacheSalt. Default "". */
  readonly cacheSalt?: string | undefined;
  /** As GenerateRequest.loras. Default: as the engine was made. */
  readonly loras?: readonly LoraChoice[] | undefined;
  /** Cancels all of it. */
  readonly signal?: AbortSignal | undefined;
}

/** A document's place in the order. */
export interface RankedDocument {
  /** In `documents`, from 0. */
  readonly index: number;
  /** 0 to 1: the model's share for its first label, "yes" of Qwen3 rerankers. */
  readonly relevanceScore: number;
  /** With `returnDocuments`. */
  readonly document?: string;
}

/** The best first; of equals, the one given first. */
export interface RerankResult {
  /** As many as `topN`, the best first. */
  readonly results: readonly RankedDocument[];
  /** Token counts of the whole call. */
  readonly usage: {
    /** Tokens of every document's prompt, the query in each. */
    readonly promptTokens: number;
    /** Those of them that were computed before. */
    readonly cachedPromptTokens: number;
  };
}

/** What reranking must know about a model. */
export interface RankModel {
  readonly architecture: string;
  /** Labels of its rank head; none: it has none. */
  readonly rankLabels: readonly string[];
  /** The template its file names "rerank". */
  readonly rankTemplate?: string | undefined;
}

const marks = { query: "{query}", document: "{document}" } as const;
const maximumDocuments = 2048;
const maximumTemplateBytes = 64 * 1024;
const templatePhrase = `a text of at most 64 KiB with ${marks.query} and ${marks.document} in it`;

function isTemplate(value: unknown): value is string {
  if (typeof value !== "string" || Buffer.byteLength(value) > maximumTemplateBytes) return false;
  return value.includes(marks.query) && value.includes(marks.document);
}

const text = z.string("a text").min(1, "a text that is not empty");

const shape = {
  query: text,
  documents: z
    .array(text, "an array of texts")
    .min(1, "an array of at least one text")
    .max(maximumDocuments, `at most ${maximumDocuments} texts`),
  topN: integer(1, Number.MAX_SAFE_INTEGER).optional(),
  returnDocuments: flag().default(false),
  template: z.custom<string>(isTemplate, templatePhrase).optional(),
  cache: flag().optional(),
  cacheSalt: z.string("a string").optional(),
  loras: z.custom<readonly LoraChoice[]>().optional(), // judged with the request
  signal: abortSignal().optional(),
};

export const schema = z.strictObject(shape, "an object of { query, documents }");

/** @throws InferenceError INVALID_OPTION */
export function judgeRerank(request: RerankRequest) {
  return judge("rerank()", schema, request);
}

/** A rerank in judged form. */
export type JudgedRerank = ReturnType<typeof judgeRerank>;

/**
 * The prompt of each document.
 * @throws InferenceError INVALID_OPTION where the model is no reranker, or has no template
 *   and was given none
 */
export function rankPrompts(
  model: RankModel,
  { query, documents, template }: JudgedRerank,
): NativePromptForm[] {
  const { architecture, rankLabels, rankTemplate } = model;
  const refuse = (sentence: string) => new InferenceError("INVALID_OPTION", `rerank(): ${sentence}`);
  if (rankLabels.length === 0) {
    throw refuse(
      "the model must be a reranker with a rank head over its last token (architecture qwen3 with " +
        `cls.output.weight of two labels or more), this one has none (architecture ${show(architecture)}); ` +
        "load one such as Qwen3-Reranker, converted by llama.cpp",
    );
  }
  const chosen = template ?? rankTemplate;
  if (!isTemplate(chosen)) {
    throw refuse(
      `template must be ${templatePhrase}: the model's file has ` +
        `${chosen === undefined ? "none" : "one without them"} under tokenizer.chat_template.rerank`,
    );
  }
  return documents.map((document) => ({
    template: chosen,
    values: { [marks.query]: query, [marks.document]: document },
  }));
}

/** A refusal names the document it is of. */
export function documentFailure(failure: unknown, index: number): unknown {
  if (!(failure instanceof InferenceError) || failure.code === "CANCELLED") return failure;
  if (failure.code !== "CONTEXT_OVERFLOW" && failure.code !== "INVALID_OPTION") return failure;
  return new InferenceError(failure.code, `rerank(): documents[${index}]: ${failure.message}`);
}

/** The order that the scores of ended requests give. */
export function rerankResult(
  ends: readonly (NativeEnd | undefined)[],
  { documents, topN = documents.length, returnDocuments }: JudgedRerank,
): RerankResult {
  let promptTokens = 0;
  let cachedPromptTokens = 0;
  const results = ends.map((end, index): RankedDocument => {
    const relevanceScore = end?.embedding?.[0];
    if (end === undefined || relevanceScore === undefined) throw cancelledByClosing("rerank()");
    if (!Number.isFinite(relevanceScore)) {
      throw new InferenceError(
        "DECODE_FAILED",
        `rerank(): documents[${index}]: the model computed no usable score; its file may be damaged`,
      );
    }
    promptTokens += end.promptTokens;
    cachedPromptTokens += end.cachedPromptTokens;
    const document = documents[index];
    return { index, relevanceScore, ...(returnDocuments && document !== undefined && { document }) };
  });
  results.sort((a, b) => b.relevanceScore - a.relevanceScore || a.index - b.index);
  return { results: results.slice(0, topN), usage: { promptTokens, cachedPromptTokens } };
}
