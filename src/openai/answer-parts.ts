// The parts that answers of all routes share: ids, usage, reasons, logprobs.
import { randomBytes } from "node:crypto";
import type { FinishReason, GeneratedLogProb, PromptLogProb, TokenLogProb, Usage } from "../engine/events.js";
import { InferenceError } from "../errors.js";
import type { TextModel } from "./text-model.js";

/** How a token of log-probabilities is written. */
export type TokenName = (token: number) => string;

/** What every object of one answer carries. */
export interface Heading {
  readonly id: string;
  readonly object: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

export function heading(prefix: string, object: string, { name, answerId }: TextModel): Heading {
  return {
    id: `${prefix}-${answerId ?? randomBytes(16).toString("hex")}`,
    object,
    created: Math.floor(Date.now() / 1000),
    model: name,
  };
}

/** @param repeated the answer is an earlier one, and nothing was computed */
export function usageObject(usage: Usage, repeated: boolean | undefined): object {
  const { promptTokens, completionTokens, cachedPromptTokens } = usage;
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
    prompt_tokens_details: { cached_tokens: repeated ? promptTokens : cachedPromptTokens },
    ...(repeated && { response_cached: true }),
  };
}

/** @throws InferenceError CANCELLED: an answer that was cut off is no answer */
export function finishReason(reason: Exclude<FinishReason, "error">): "stop" | "length" | "tool_calls" {
  if (reason === "tool-calls") return "tool_calls";
  if (reason !== "cancelled") return reason;
  throw new InferenceError("CANCELLED", "the generation was cancelled before its answer was whole");
}

/** Bytes as text; those that form no whole character become U+FFFD. */
export function bytesText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

/** Chat's form of log-probabilities: `asked` at most of each token, the token itself among them. */
export function chatLogProbs(
  model: TextModel,
  given: readonly GeneratedLogProb[] | undefined,
  nameOf: TokenName,
): object | null {
  if (given === undefined) return null;
  const entry = ({ token, logProb }: TokenLogProb) => {
    return { token: nameOf(token), logprob: logProb, bytes: [...model.tokenBytes(token)] };
  };
  return {
    content: given.map((each) => {
      const { top } = each;
      const shown = top.length === 0 || holds(top, each) ? top : [...top.slice(0, -1), each];
      return { ...entry(each), top_logprobs: shown.map(entry) };
    }),
  };
}

/**
 * The form of completions: the likeliest tokens, and the one itself where it is not among
 * them. Offsets are of the text it belongs to, in UTF-16 units; tokens of a prompt that are
 * not in its text have the offset of what follows them.
 * @param offset of the first token; below 0 where that many units are not in the text
 */
export function completionLogProbs(
  model: TextModel,
  given: readonly (GeneratedLogProb | PromptLogProb)[] | undefined,
  offset: number,
  nameOf: TokenName,
): object | null {
  if (given === undefined) return null;
  let at = offset;
  const lengths = given.map(({ token }) => bytesText(model.tokenBytes(token)).length);
  return {
    text_offset: lengths.map((length) => {
      at += length;
      return Math.max(0, at - length);
    }),
    token_logprobs: given.map(({ logProb }) => logProb),
    tokens: given.map(({ token }) => nameOf(token)),
    top_logprobs: given.map(({ token, logProb, top }) => {
      if (logProb === null) return null;
      const shown = holds(top, { token, logProb }) ? top : [...top, { token, logProb }];
      return Object.fromEntries(shown.map((each) => [nameOf(each.token), each.logProb]));
    }),
  };
}

/** vLLM's form of a prompt's: by token id; null for the first token. */
export function promptLogProbs(
  given: readonly PromptLogProb[] | undefined,
  nameOf: TokenName,
): readonly (object | null)[] | null {
  if (given === undefined) return null;
  return given.map(({ token, logProb, rank, top }) => {
    if (logProb === null) return null;
    const others = top.map((each, index) => ({ ...each, rank: index + 1 }));
    const all = [{ token, logProb, rank }, ...others.filter((each) => each.token !== token)];
    return Object.fromEntries(
      all.map((each) => [
        each.token,
        { logprob: each.logProb, rank: each.rank, decoded_token: nameOf(each.token) },
      ]),
    );
  });
}

function holds(top: readonly TokenLogProb[], { token }: TokenLogProb): boolean {
  return top.some((each) => each.token === token);
}
