// A chat/completions body as a GenerateRequest.
import type { ChatOptions } from "../chat/messages.js";
import type { Tool, ToolChoice } from "../chat/tools.js";
import type { GenerateRequest } from "../engine/generate-request.js";
import { ApiError, wrongField } from "./api-error.js";
import { constraintFields, takeConstraint } from "./constraints.js";
import {
  type Body,
  booleanField,
  type OnUnknown,
  objectField,
  refuseField,
  takeFields,
  tellUnknown,
  textField,
} from "./fields.js";
import { messagesOf } from "./messages.js";
import { shownFields } from "./shown.js";
import { toolFormOf } from "./tool-form.js";
import { asNumber } from "./values.js";

/** What this route reads besides the fields that choose tokens. */
export const chatFields: ReadonlySet<string> = new Set([
  ...constraintFields,
  "model",
  "messages",
  "stream",
  "stream_options",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "tool_form",
  "logprobs",
  "top_logprobs",
  "chat_template_kwargs",
  "documents",
  "reasoning_effort",
  "include_reasoning",
  "reasoning_format",
  "add_special_tokens",
  "modalities",
  "request_id",
  "add_generation_prompt",
  "continue_final_message",
  ...shownFields,
]);

/** OpenAI's defaults, where they differ from the engine's. */
const defaults = { temperature: 1, topP: 1 } as const;

/** How a conversation's prompt ends. */
function openingOf(rest: Body): Pick<ChatOptions, "addGenerationPrompt" | "continueFinalMessage"> {
  const opens = booleanField(rest, "add_generation_prompt");
  const continues = booleanField(rest, "continue_final_message") ?? false;
  if (continues && opens !== false) {
    const problem =
      "continue_final_message must come with add_generation_prompt false: a message is continued or begun";
    throw new ApiError(400, problem, { param: "continue_final_message" });
  }
  if (continues) return { continueFinalMessage: true };
  return opens === undefined ? {} : { addGenerationPrompt: opens };
}

/** @throws ApiError */
export function chatRequest(body: Body, onUnknown: OnUnknown = () => {}): GenerateRequest {
  const { options, rest } = takeFields(body);
  tellUnknown(rest, chatFields, onUnknown);
  refuseModalities(rest.modalities);
  if (booleanField(rest, "add_special_tokens") === true) refuseField("add_special_tokens");
  const tools = toolsOf(rest.tools, onUnknown);
  const isEmpty = tools === undefined && rest.tools !== undefined;
  const toolChoice =
    isEmpty && rest.tool_choice === "auto" ? undefined : toolChoiceOf(rest.tool_choice, tools);
  const several = booleanField(rest, "parallel_tool_calls");
  // By default, OpenAI's "required" is one call or more.
  const parallel = toolChoice === "required" ? (several ?? true) : several;
  const logProbs = logProbsOf(rest);
  const variables = variablesOf(rest);
  const constraint = takeConstraint(rest, onUnknown);
  if (tools !== undefined && toolChoice !== "none") refuseBoth(constraint, rest);
  return {
    ...defaults,
    ...options,
    ...constraint,
    messages: messagesOf(rest.messages, onUnknown),
    ...(variables !== undefined && { chatVariables: variables }),
    ...(tools !== undefined && { tools }),
    ...(tools !== undefined && toolChoice !== undefined && { toolChoice }),
    ...(tools !== undefined && parallel !== undefined && { parallelToolCalls: parallel }),
    ...toolFormOf(rest),
    ...(keepsThoughts(rest) && { splitReasoning: false }),
    ...openingOf(rest),
    ...(booleanField(rest, "return_token_ids") && { promptTokens: true }),
    ...(logProbs !== undefined && { logProbs }),
  };
}

function refuseModalities(given: unknown): void {
  if (given === undefined || (Array.isArray(given) && given.every((each) => each === "text"))) return;
  throw wrongField("modalities", '["text"], nothing else is generated');
}

/** A call is no text that a schema could bind, and a bound text no call. */
function refuseBoth(constraint: object, rest: Body): void {
  if (Object.keys(constraint).length === 0) return;
  const param = constraintFields.find((name) => rest[name] !== undefined) ?? "response_format";
  throw new ApiError(
    400,
    `${param} is not supported beside tools; leave one out, or send tool_choice "none"`,
    {
      param,
      code: "unsupported_value",
    },
  );
}

/** llama-server's field: "none" leaves thoughts and their marks in the text. */
function keepsThoughts(rest: Body): boolean {
  const format = textField(rest, "reasoning_format") ?? "auto";
  if (["none", "auto", "deepseek", "deepseek-legacy"].includes(format)) return format === "none";
  throw wrongField("reasoning_format", '"none" or "auto"');
}

/** Variables of the template: vLLM's names for some, and the request's own, which count more. */
function variablesOf(rest: Body): Readonly<Record<string, unknown>> | undefined {
  const effort = textField(rest, "reasoning_effort");
  const { documents } = rest;
  if (documents !== undefined && !(Array.isArray(documents) && documents.every(isDocument))) {
    throw wrongField("documents", "a list of objects, such as { title, text }");
  }
  const given = objectField(rest, "chat_template_kwargs");
  if (effort === undefined && documents === undefined) return given;
  return {
    ...(effort !== undefined && { reasoning_effort: effort, enable_thinking: effort !== "none" }),
    ...(documents !== undefined && { documents }),
    ...given,
  };
}

function isDocument(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function logProbsOf(rest: Body): number | undefined {
  const top = asNumber(rest.top_logprobs ?? 0);
  if (typeof top !== "number") throw wrongField("top_logprobs", "an integer from 0 to 20");
  if (booleanField(rest, "logprobs") === true) return top;
  if (top === 0) return undefined;
  throw new ApiError(400, "top_logprobs must come with logprobs true", { param: "top_logprobs" });
}

const toolFields: ReadonlySet<string> = new Set(["type", "function", "defer_loading"]);
const functionFields: ReadonlySet<string> = new Set([
  "name",
  "description",
  "parameters",
  "strict",
  "defer_loading",
]);

function toolsOf(given: unknown, onUnknown: OnUnknown): readonly Tool[] | undefined {
  if (given === undefined) return undefined;
  if (!Array.isArray(given)) throw wrongField("tools", "a list of functions");
  if (given.length === 0) return undefined;
  return given.map((tool: unknown, index) => {
    const path = `tools[${index}]`;
    const { type = "function", ...held } = (typeof tool === "object" && tool !== null ? tool : {}) as Body;
    const definition = objectField(held, "function", `${path}.function`);
    if (type !== "function" || definition === undefined) {
      throw wrongField(path, 'of type "function" with a function');
    }
    tellUnknown(held, toolFields, onUnknown, (name) => `${path}.${name}`);
    tellUnknown(definition, functionFields, onUnknown, (name) => `${path}.function.${name}`);
    for (const [each, at] of [
      [held, path],
      [definition, `${path}.function`],
    ] as const) {
      if (booleanField(each, "defer_loading", `${at}.defer_loading`) === true)
        refuseField(`${at}.defer_loading`);
    }
    const description = textField(definition, "description", `${path}.function.description`);
    const parameters = objectField(definition, "parameters", `${path}.function.parameters`);
    return {
      name: definition.name as string,
      ...(description !== undefined && { description }),
      ...(parameters !== undefined && { parameters }),
    };
  });
}

function toolChoiceOf(given: unknown, tools: readonly Tool[] | undefined): ToolChoice | undefined {
  if (given === undefined || given === "none") return given;
  if (tools === undefined) {
    throw new ApiError(400, "tool_choice must come with tools", {
      param: "tool_choice",
      code: "invalid_value",
    });
  }
  if (given === "auto" || given === "required") return given;
  const called = (given as { readonly function?: { readonly name?: unknown } } | null)?.function;
  if (typeof called?.name === "string") return { name: called.name };
  throw wrongField("tool_choice", '"auto", "none", "required" or a function');
}
