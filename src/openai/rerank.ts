// The body of /v1/rerank as Jina, Cohere and vLLM define it, and its answer.
import { heading } from "./answer-parts.js";
import { wrongField } from "./api-error.js";
import { type Body, booleanField, type OnUnknown, refuseField, tellUnknown, textField } from "./fields.js";
import type { TextModel } from "./text-model.js";
import { asNumber } from "./values.js";

const rerankFields: ReadonlySet<string> = new Set([
  "model",
  "query",
  "documents",
  "top_n",
  "return_documents",
  "cache_salt",
  "request_id",
]);

/** Fields that cannot change the order. */
const withoutEffect: ReadonlySet<string> = new Set(["user", "priority"]);

/** Fields that would change the scores, and that are not supported. */
const refused = ["max_tokens_per_doc", "max_chunks_per_doc", "truncate_prompt_tokens", "rank_fields"];

/** @throws ApiError, InferenceError */
export async function reranked(
  model: TextModel,
  body: Body,
  signal: AbortSignal | undefined,
  onUnknown: OnUnknown,
): Promise<object> {
  const given = Object.entries(body).filter(([name, value]) => value !== null && !withoutEffect.has(name));
  const rest: Body = Object.fromEntries(given);
  for (const name of refused) if (rest[name] !== undefined) refuseField(name);
  tellUnknown(rest, rerankFields, onUnknown);
  const topN = topOf(rest.top_n);
  const cacheSalt = textField(rest, "cache_salt");
  const texts = documentsOf(rest.documents);
  const { results, usage } = await model.rerank({
    query: rest.query as string, // the engine judges it
    documents: texts,
    topN,
    signal,
    ...(cacheSalt !== undefined && { cacheSalt }),
  });
  const tellsTexts = booleanField(rest, "return_documents") ?? true;
  return {
    ...heading("rerank", "list", model),
    results: results.map(({ index, relevanceScore }) => ({
      index,
      ...(tellsTexts && { document: { text: texts[index] } }),
      relevance_score: relevanceScore,
    })),
    usage: { prompt_tokens: usage.promptTokens, total_tokens: usage.promptTokens },
  };
}

/** 0 means all, as vLLM takes it. */
function topOf(given: unknown): number | undefined {
  const count = asNumber(given ?? 0);
  if (!Number.isInteger(count) || Number(count) < 0) throw wrongField("top_n", "an integer from 0");
  return count === 0 ? undefined : Number(count);
}

/** Texts, or Cohere's and Jina's objects of a text. */
function documentsOf(given: unknown): readonly string[] {
  if (!Array.isArray(given) || given.length === 0) throw wrongField("documents", "a list of texts");
  return given.map((each: unknown, index) => {
    const text = typeof each === "object" && each !== null ? (each as Body).text : each;
    if (typeof text === "string" && text !== "") return text;
    throw wrongField(`documents[${index}]`, "a text that is not empty, or { text }");
  });
}
