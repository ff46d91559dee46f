// A request whose conversation has become a prompt: what the addon is asked, and
// how the answer is to be read. A format's own grammar binds what a schema or a
// required call asks for, thoughts before it included; where calls are as the model
// likes, it binds from a call's first words on.
import type { AnswerFormat } from "../chat/answer.js";
import type { Conversation } from "../chat/messages.js";
import type { WrittenChat } from "../chat/renderer.js";
import { type InferenceError, invalidOption } from "../errors.js";
import type { NativeRequest } from "../native.js";

/** What a conversation becomes. */
export interface WrittenRequest {
  readonly request: NativeRequest;
  /** Undefined where the answer is text. */
  readonly format: AnswerFormat | undefined;
}

/**
 * @param request without its prompt; bound by what its user asked for
 * @throws InferenceError INVALID_OPTION
 */
export function writtenRequest(
  request: NativeRequest,
  conversation: Conversation,
  written: WrittenChat,
): WrittenRequest {
  const { prompt, stop, answer } = written;
  const whole = {
    ...request,
    prompt,
    parseSpecial: true,
    stop: [...new Set([...request.stop, ...stop])],
  };
  const hasSchema = conversation.schema !== undefined;
  if (answer === undefined || (request.grammar !== "" && !hasSchema))
    return { request: whole, format: undefined };
  const { visible, generationPrompt } = answer;
  const choice = conversation.tools?.choice ?? "none";
  if (hasSchema || choice === "required") {
    if (answer.grammar === "") throw unbindable(hasSchema ? "jsonSchema" : "toolChoice");
    const bound = { grammar: answer.grammar, grammarPrefix: generationPrompt };
    return { request: { ...whole, ...bound, visible }, format: answer };
  }
  const isText = !conversation.splitReasoning && choice === "none";
  return { request: { ...whole, ...awaited(answer), visible }, format: isText ? undefined : answer };
}

/** The grammar of a call that may come. */
function awaited(answer: AnswerFormat): Partial<NativeRequest> {
  const { grammar, lazy, triggers, generationPrompt, thinkingStart, thinkingEnds, thinking } = answer;
  if (!lazy || grammar === "" || triggers.length === 0) return {};
  return { grammar, triggers, textBefore: generationPrompt, thinkingStart, thinkingEnds, thinking };
}

/** @param option that asks for what cannot be bound */
function unbindable(option: "jsonSchema" | "toolChoice"): InferenceError {
  const instead = (name: (option: string) => string) =>
    option === "jsonSchema" ? `send no ${name(option)}` : `send ${name(option)} "auto" or "none"`;
  const problem =
    "cannot be honoured: the form in which this chat template writes such answers is not known; ";
  return invalidOption("generate()", [option], (name) => problem + instead(name));
}
