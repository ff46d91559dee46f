// A chat/completions body as a GenerateRequest.
import type { ChatMessage } from "../chat/messages.js";
import type { PastToolCall, Tool, ToolChoice } from "../chat/tools.js";
import type { GenerateRequest } from "../engine/request.js";
import { ApiError, wrongField } from "./api-error.js";
import { constraintFields, takeConstraint } from "./constraints.js";
import { type Body, booleanField, objectField, refuseUnknown, takeFields } from "./fields.js";

const known = [
  ...constraintFields,
  "model",
  "messages",
  "stream",
  "stream_options",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "logprobs",
  "top_logprobs",
  "chat_template_kwargs",
  "reasoning_effort",
  "include_reasoning",
  "modalities",
];

/** OpenAI's defaults, where they differ from the engine's. */
const defaults = { temperature: 1, topP: 1 } as const;

/** @throws ApiError */
export function chatRequest(body: Body): GenerateRequest {
  const { options, rest } = takeFields(body);
  refuseUnknown(rest, known);
  refuseModalities(rest.modalities);
  const tools = toolsOf(rest.tools);
  const toolChoice = tools && toolChoiceOf(rest.tool_choice);
  const parallel = tools && booleanField(rest, "parallel_tool_calls");
  const logProbs = logProbsOf(rest);
  const variables = variablesOf(rest);
  const split = booleanField(rest, "include_reasoning");
  return {
    ...defaults,
    ...options,
    ...takeConstraint(rest),
    messages: messagesOf(rest.messages),
    ...(variables !== undefined && { chatVariables: variables }),
    ...(tools !== undefined && { tools }),
    ...(toolChoice !== undefined && { toolChoice }),
    ...(parallel !== undefined && { parallelToolCalls: parallel }),
    ...(split !== undefined && { splitReasoning: split }),
    ...(logProbs !== undefined && { logProbs }),
  };
}

function refuseModalities(given: unknown): void {
  if (given === undefined || (Array.isArray(given) && given.every((each) => each === "text"))) return;
  throw wrongField("modalities", '["text"], nothing else is generated');
}

function variablesOf(rest: Body): Readonly<Record<string, unknown>> | undefined {
  const given = objectField(rest, "chat_template_kwargs");
  if (rest.reasoning_effort === undefined) return given;
  return { reasoning_effort: rest.reasoning_effort, ...given };
}

function logProbsOf(rest: Body): number | undefined {
  if (booleanField(rest, "logprobs") !== true) {
    if (rest.top_logprobs === undefined) return undefined;
    throw new ApiError(400, "top_logprobs must come with logprobs true", { param: "top_logprobs" });
  }
  const top = rest.top_logprobs ?? 0;
  if (typeof top === "number") return top;
  throw wrongField("top_logprobs", "an integer from 0 to 20");
}

function messagesOf(given: unknown): readonly ChatMessage[] {
  if (!Array.isArray(given) || given.length === 0) throw wrongField("messages", "a list of messages");
  return given.map((message, index) => messageOf(message, `messages[${index}]`));
}

function messageOf(given: unknown, path: string): ChatMessage {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw wrongField(path, "a message of { role, content }");
  }
  const { role, content, name, tool_calls, tool_call_id, reasoning_content, ...rest } = given as Body;
  const { refusal, audio, function_call, ...unknown } = rest;
  const wrong = [
    ...Object.keys(unknown),
    ...(audio ? ["audio"] : []),
    ...(function_call ? ["function_call"] : []),
  ];
  if (wrong.length > 0) {
    throw new ApiError(400, `${path}.${wrong[0]} is not supported`, { param: `${path}.${wrong[0]}` });
  }
  const said = contentOf(content ?? refusal, `${path}.content`);
  const calls = tool_calls === undefined || tool_calls === null ? undefined : callsOf(tool_calls, path);
  return {
    role: role as string,
    ...(said !== undefined && { content: said }),
    ...(calls !== undefined && { toolCalls: calls }),
    ...(said === undefined && calls === undefined && { content: "" }),
    ...(typeof name === "string" && { name }),
    ...(typeof tool_call_id === "string" && { toolCallId: tool_call_id }),
    ...(typeof reasoning_content === "string" && { reasoning: reasoning_content }),
  };
}

function contentOf(given: unknown, path: string): ChatMessage["content"] {
  if (given === undefined || given === null || typeof given === "string") return given ?? undefined;
  if (!Array.isArray(given)) throw wrongField(path, "text or a list of parts");
  return given.map((part: unknown, index) => {
    const { type, text } = (typeof part === "object" && part !== null ? part : {}) as Body;
    if (type === "text" && typeof text === "string") return { type, text };
    throw new ApiError(400, `${path}[${index}] is of type ${JSON.stringify(type)}, only text is supported`, {
      param: `${path}[${index}].type`,
      code: "unsupported_value",
    });
  });
}

function callsOf(given: unknown, path: string): readonly PastToolCall[] {
  if (!Array.isArray(given)) throw wrongField(`${path}.tool_calls`, "a list");
  return given.map((call: unknown) => {
    const { id, function: called } = (typeof call === "object" && call !== null ? call : {}) as Body;
    const { name, arguments: text } = (typeof called === "object" && called !== null ? called : {}) as Body;
    return {
      ...(typeof id === "string" && { id }),
      name: name as string,
      arguments: (text ?? "{}") as string,
    };
  });
}

function toolsOf(given: unknown): readonly Tool[] | undefined {
  if (given === undefined || (Array.isArray(given) && given.length === 0)) return undefined;
  if (!Array.isArray(given)) throw wrongField("tools", "a list of functions");
  return given.map((tool: unknown, index) => {
    const { type, function: definition } = (typeof tool === "object" && tool !== null ? tool : {}) as Body;
    if (type !== "function" || typeof definition !== "object" || definition === null) {
      throw wrongField(`tools[${index}]`, 'of type "function" with a function');
    }
    const { name, description, parameters } = definition as Body;
    return {
      name: name as string,
      ...(typeof description === "string" && { description }),
      ...(parameters !== undefined && parameters !== null && { parameters: parameters as Body }),
    };
  });
}

function toolChoiceOf(given: unknown): ToolChoice | undefined {
  if (given === undefined) return undefined;
  if (given === "auto" || given === "none" || given === "required") return given;
  const called = (given as { readonly function?: { readonly name?: unknown } } | null)?.function;
  if (typeof called?.name === "string") return { name: called.name };
  throw wrongField("tool_choice", '"auto", "none", "required" or a function');
}
