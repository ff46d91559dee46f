// The body of /v1/embeddings as a call of the engine, and its answer: vectors as lists of
// numbers, or as base64 text of little-endian 32-bit floats.
import type { Embedding, EmbedInput, EmbedOptions } from "../engine/embed.js";
import { heading } from "./answer-parts.js";
import { wrongField } from "./api-error.js";
import { type Body, type OnUnknown, refuseField, tellUnknown, textField } from "./fields.js";
import type { TextModel } from "./text-model.js";

/** What this route reads. */
const embeddingFields: ReadonlySet<string> = new Set([
  "model",
  "input",
  "encoding_format",
  "cache_salt",
  "request_id",
]);

/** Fields whose value cannot change a vector. */
const withoutEffect: ReadonlySet<string> = new Set(["user", "priority", "truncation_side"]);

/** Fields that would change the vectors, and that are not supported. */
const refused: readonly string[] = ["dimensions", "truncate_prompt_tokens", "messages", "embed_dtype"];

const inputPhrase = "text, token ids, or a list of either";
const mostTokenId = 2 ** 31 - 1;

/** @throws ApiError, InferenceError */
export async function embeddings(
  model: TextModel,
  body: Body,
  signal: AbortSignal | undefined,
  onUnknown: OnUnknown,
): Promise<object> {
  for (const name of refused) if (body[name] !== undefined && body[name] !== null) refuseField(name);
  const others = Object.entries(body).filter(([name, value]) => value !== null && !withoutEffect.has(name));
  tellUnknown(Object.fromEntries(others), embeddingFields, onUnknown);
  const written = writerOf(body.encoding_format);
  const cacheSalt = textField(body, "cache_salt");
  const options: EmbedOptions = { signal, ...(cacheSalt !== undefined && { cacheSalt }) };
  const { embeddings: vectors, usage } = await model.embed(inputsOf(body.input), options);
  return {
    ...heading("embd", "list", model),
    data: vectors.map((vector, index) => ({ object: "embedding", index, embedding: written(vector) })),
    usage: { prompt_tokens: usage.promptTokens, total_tokens: usage.promptTokens },
  };
}

function writerOf(format: unknown): (vector: Embedding) => unknown {
  if (format === undefined || format === null || format === "float") return (vector) => vector;
  if (format === "base64") return base64;
  throw wrongField("encoding_format", '"float" or "base64"');
}

/** Every platform that this package has native files for is little-endian. */
function base64({ buffer, byteOffset, byteLength }: Embedding): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

/** One text, one list of token ids, or a list of them. How many there may be, the engine judges. */
function inputsOf(given: unknown): EmbedInput | readonly EmbedInput[] {
  if (typeof given === "string") return given;
  if (!Array.isArray(given) || given.length === 0) throw wrongField("input", inputPhrase);
  if (typeof given[0] === "number") return tokensOf(given, "input");
  return given.map((each: unknown, index) => {
    if (typeof each === "string") return each;
    if (!Array.isArray(each)) throw wrongField(`input[${index}]`, "text or token ids");
    return tokensOf(each, `input[${index}]`);
  });
}

function tokensOf(list: readonly unknown[], path: string): Int32Array {
  const isToken = (id: unknown): id is number =>
    Number.isInteger(id) && Number(id) >= 0 && Number(id) <= mostTokenId;
  if (list.length > 0 && list.every(isToken)) return Int32Array.from(list);
  throw wrongField(path, "a list of token ids, which are integers from 0");
}
