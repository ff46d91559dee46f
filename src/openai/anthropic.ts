// Anthropic's /v1/messages and /v1/messages/count_tokens.
import { MessageAnswer } from "./anthropic-answer.js";
import { messagesRequest } from "./anthropic-request.js";
import { toApiError } from "./api-error.js";
import { type Body, booleanField, type OnUnknown } from "./fields.js";
import { type NamedStream, withApiErrors } from "./named-events.js";
import { withPings } from "./pings.js";
import type { TextModel } from "./text-model.js";
import { aboutTokens, conversationTokens } from "./token-routes.js";
import { withoutReasoning } from "./without-reasoning.js";

type Made = { readonly type: "object"; readonly object: object } | NamedStream;

/** Milliseconds of silence in a stream after which it says that it lives. */
const pingMs = 15_000;

/** @throws ApiError */
export async function createdMessage(
  model: TextModel,
  body: Body,
  signal: AbortSignal | undefined,
  onUnknown: OnUnknown,
): Promise<Made> {
  const streams = booleanField(body, "stream") ?? false;
  const { request, hidesThoughts, names } = messagesRequest(body, onUnknown);
  const generated = model.generate({ ...request, ...(signal && { signal }) });
  const run = hidesThoughts ? withoutReasoning(generated) : generated;
  const answer = new MessageAnswer(model, request);
  // Only a stream tells it before the end. Counted beside the prompt's computing.
  const promptTokens = streams ? aboutTokens(model, request) : 0;
  Promise.resolve(promptTokens).catch(() => {}); // the run fails, too
  const events = withApiErrors(answer.events(run, promptTokens), names);
  if (streams) {
    return { type: "events", events: withPings(events, pingMs), failed: (error) => answer.failed(error) };
  }
  for await (const _ of events);
  return { type: "object", object: answer.message };
}

/** @throws ApiError */
export async function countedTokens(
  model: TextModel,
  body: Body,
  _signal: AbortSignal | undefined,
  onUnknown: OnUnknown,
): Promise<Made> {
  const { request, names } = messagesRequest(body, onUnknown, true);
  try {
    const input_tokens = (await conversationTokens(model, request)).length;
    const context_management = { original_input_tokens: input_tokens };
    return { type: "object", object: { input_tokens, context_management } };
  } catch (thrown) {
    throw toApiError(thrown, names);
  }
}
