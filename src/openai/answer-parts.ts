// The parts that answers of all routes share: ids, usage, reasons, logprobs.
import { randomBytes } from "node:crypto";
import type { FinishReason, GeneratedLogProb, Usage } from "../engine/events.js";
import type { TextModel } from "./text-model.js";

/** What every object of one answer carries. */
export interface Heading {
  readonly id: string;
  readonly object: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

export function heading(prefix: string, object: string, model: string): Heading {
  return {
    id: `${prefix}-${randomBytes(16).toString("hex")}`,
    object,
    created: Math.floor(Date.now() / 1000),
    model,
  };
}

/** @param repeated the answer is an earlier one, and nothing was computed */
export function usageObject(usage: Usage, repeated: boolean | undefined): object {
  const { promptTokens, completionTokens, cachedPromptTokens } = usage;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: repeated ? promptTokens : cachedPromptTokens },
    ...(repeated && { response_cached: true }),
  };
}

/** @throws Error for a generation that was cancelled: its reader has left */
export function finishReason(reason: Exclude<FinishReason, "error">): "stop" | "length" | "tool_calls" {
  if (reason === "tool-calls") return "tool_calls";
  return reason === "cancelled" ? "stop" : reason;
}

/** Chat's form of log-probabilities. */
export function chatLogProbs(
  model: TextModel,
  given: readonly GeneratedLogProb[] | undefined,
): object | null {
  if (given === undefined) return null;
  const entry = ({ token, logProb }: { readonly token: number; readonly logProb: number }) => {
    const text = model.tokenText(token);
    const whole = !text.includes("\ufffd");
    return { token: text, logprob: finite(logProb), bytes: whole ? [...Buffer.from(text)] : null };
  };
  return { content: given.map((each) => ({ ...entry(each), top_logprobs: each.top.map(entry) })) };
}

/** The form of completions; offsets are of the text it belongs to, in UTF-16 units. */
export function completionLogProbs(
  model: TextModel,
  given: readonly GeneratedLogProb[] | undefined,
  offset: number,
): object | null {
  if (given === undefined) return null;
  let at = offset;
  const tokens = given.map(({ token }) => model.tokenText(token));
  return {
    tokens,
    token_logprobs: given.map(({ logProb }) => finite(logProb)),
    top_logprobs: given.map(({ top }) =>
      Object.fromEntries(top.map((each) => [model.tokenText(each.token), finite(each.logProb)])),
    ),
    text_offset: tokens.map((text) => {
      at += text.length;
      return at - text.length;
    }),
  };
}

/** JSON has no -Infinity; this is what OpenAI's own API says in its place. */
const impossible = -9999;

function finite(logProb: number): number {
  return Number.isFinite(logProb) ? logProb : impossible;
}

/** One server-sent event. */
export function serverSentEvent(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** The event that ends a stream. */
export const lastEvent = "data: [DONE]\n\n";
