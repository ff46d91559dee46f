// The parts that answers of all routes share: ids, usage, reasons, logprobs.
import { randomBytes } from "node:crypto";
import type { FinishReason, GeneratedLogProb, TokenLogProb, Usage } from "../engine/events.js";
import { InferenceError } from "../errors.js";
import type { TextModel } from "./text-model.js";

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
): object | null {
  if (given === undefined) return null;
  const entry = ({ token, logProb }: TokenLogProb) => {
    const bytes = model.tokenBytes(token);
    return { token: bytesText(bytes), logprob: logProb, bytes: [...bytes] };
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
 * The form of completions: the likeliest tokens, and the generated one where it is not
 * among them. Offsets are of the text it belongs to, in UTF-16 units.
 */
export function completionLogProbs(
  model: TextModel,
  given: readonly GeneratedLogProb[] | undefined,
  offset: number,
): object | null {
  if (given === undefined) return null;
  let at = offset;
  const text = (token: number) => bytesText(model.tokenBytes(token));
  const tokens = given.map(({ token }) => text(token));
  return {
    text_offset: tokens.map((token) => {
      at += token.length;
      return at - token.length;
    }),
    token_logprobs: given.map(({ logProb }) => logProb),
    tokens,
    top_logprobs: given.map((each) => {
      const shown = holds(each.top, each) ? each.top : [...each.top, each];
      return Object.fromEntries(shown.map(({ token, logProb }) => [text(token), logProb]));
    }),
  };
}

function holds(top: readonly TokenLogProb[], { token }: TokenLogProb): boolean {
  return top.some((each) => each.token === token);
}
