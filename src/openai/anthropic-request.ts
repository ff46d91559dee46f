// A body of Anthropic's /v1/messages as a GenerateRequest.
import type { Tool, ToolChoice } from "../chat/tools.js";
import type { GenerateRequest } from "../engine/generate-request.js";
import type { NameOption } from "../errors.js";
import { anthropicMessages } from "./anthropic-messages.js";
import { ApiError, wrongField } from "./api-error.js";
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
import { isObject } from "./messages.js";
import { optionNames } from "./option-names.js";
import type { PlacedMessages } from "./responses-input.js";
import { toolFormOf } from "./tool-form.js";

/** What this route reads besides the fields that choose tokens. */
export const anthropicFields: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "system",
  "stream",
  "tools",
  "tool_choice",
  "tool_form",
  "thinking",
  "output_config",
  "chat_template_kwargs",
  "request_id",
]);

/** Fields whose value cannot change an answer here. */
export const anthropicWithoutEffect: ReadonlySet<string> = new Set([
  "metadata",
  "service_tier",
  "cache_control",
  "inference_geo",
  "diagnostics",
  "user_profile_id",
  "workspace_id",
]);

/** Fields that are refused, unless their value is this. */
export const anthropicOfOneValue: Readonly<Record<string, unknown>> = {
  speed: "standard",
  container: undefined,
  mcp_servers: undefined,
  context_management: undefined,
};

/** Other routes' names of options, which nobody defines for this one. */
const ofOtherRoutes = ["n", "stop", "max_completion_tokens"];

export interface ReadMessages {
  readonly request: GenerateRequest;
  /** Thoughts are not to be told. */
  readonly hidesThoughts: boolean;
  /** For errors of the engine. */
  readonly names: NameOption;
}

/** @param countsOnly the request is to be counted, and has no max_tokens @throws ApiError */
export function messagesRequest(body: Body, onUnknown: OnUnknown, countsOnly = false): ReadMessages {
  refuseOthers(body);
  const isRead = (name: string) => !anthropicWithoutEffect.has(name) && !(name in anthropicOfOneValue);
  const given = Object.entries(body).filter(([name]) => isRead(name));
  const { stop_sequences, ...fields }: Body = Object.fromEntries(given);
  for (const name of ofOtherRoutes) if (name in fields) onUnknown(name);
  const own = Object.fromEntries(Object.entries(fields).filter(([name]) => !ofOtherRoutes.includes(name)));
  const { options, rest } = takeFields({ ...own, stop: stop_sequences });
  tellUnknown(rest, anthropicFields, onUnknown);
  if (!countsOnly && options.maxTokens === undefined) throw wrongField("max_tokens", "an integer from 1");
  const placed = anthropicMessages(rest, onUnknown);
  const tools = toolsOf(rest.tools, onUnknown);
  const choice = choiceOf(rest, tools, onUnknown);
  const { schema, variables, hidesThoughts } = mannerOf(rest, onUnknown);
  if (schema !== undefined && tools !== undefined && choice.toolChoice !== "none") {
    throw new ApiError(
      400,
      'output_config.format is not supported beside tools; leave one out, or send tool_choice { "type": "none" }',
      { param: "output_config.format", code: "unsupported_value" },
    );
  }
  const request: GenerateRequest = {
    temperature: 1,
    topP: 1,
    ...options,
    messages: placed.messages,
    ...(variables !== undefined && { chatVariables: variables }),
    ...(schema !== undefined && { jsonSchema: schema }),
    ...(tools !== undefined && { tools, ...choice }),
    ...toolFormOf(rest),
    ...(placed.continuesFinal && { continueFinalMessage: true }),
  };
  return { request, hidesThoughts, names: messagesNames(body, placed) };
}

function refuseOthers(body: Body): void {
  for (const [name, served] of Object.entries(anthropicOfOneValue)) {
    const value = body[name];
    if (value !== undefined && value !== null && value !== served) refuseField(name);
  }
}

const toolFields: ReadonlySet<string> = new Set([
  "type",
  "name",
  "description",
  "input_schema",
  "cache_control",
  "strict",
  "eager_input_streaming",
  "input_examples",
  "allowed_callers",
  "defer_loading",
]);

function toolsOf(given: unknown, onUnknown: OnUnknown): readonly Tool[] | undefined {
  if (given === undefined) return undefined;
  if (!Array.isArray(given)) throw wrongField("tools", "a list of tools");
  if (given.length === 0) return undefined;
  return given.map((tool: unknown, index) => {
    const path = `tools[${index}]`;
    if (!isObject(tool)) throw wrongField(path, "a tool of { name, description, input_schema }");
    const type = tool.type ?? "custom";
    if (type !== "custom") {
      throw new ApiError(
        400,
        `${path} is of type ${JSON.stringify(type)}, which is not supported; send tools with an input_schema and run them yourself`,
        { param: `${path}.type`, code: "unsupported_value" },
      );
    }
    tellUnknown(tool, toolFields, onUnknown, (name) => `${path}.${name}`);
    if (booleanField(tool, "defer_loading", `${path}.defer_loading`) === true)
      refuseField(`${path}.defer_loading`);
    const name = textField(tool, "name", `${path}.name`);
    if (name === undefined) throw wrongField(`${path}.name`, "a string");
    const parameters = objectField(tool, "input_schema", `${path}.input_schema`);
    if (parameters === undefined) throw wrongField(`${path}.input_schema`, "a JSON schema of an object");
    const description = textField(tool, "description", `${path}.description`);
    return { name, parameters, ...(description !== undefined && { description }) };
  });
}

const choiceFields: ReadonlySet<string> = new Set(["type", "name", "disable_parallel_tool_use"]);
const choicePhrase = '{ type: "auto" }, { type: "any" }, { type: "none" } or { type: "tool", name }';

function choiceOf(
  rest: Body,
  tools: readonly Tool[] | undefined,
  onUnknown: OnUnknown,
): { readonly toolChoice?: ToolChoice; readonly parallelToolCalls?: boolean } {
  const choice = objectField(rest, "tool_choice");
  if (choice === undefined) return {};
  tellUnknown(choice, choiceFields, onUnknown, (name) => `tool_choice.${name}`);
  const single = booleanField(choice, "disable_parallel_tool_use", "tool_choice.disable_parallel_tool_use");
  const parallel = single === undefined ? {} : { parallelToolCalls: !single };
  const { type, name } = choice;
  if (type === "auto" || type === "none") return { toolChoice: type, ...parallel };
  if (type !== "any" && !(type === "tool" && typeof name === "string"))
    throw wrongField("tool_choice", choicePhrase);
  if (tools === undefined) {
    throw new ApiError(400, "tool_choice must come with tools", {
      param: "tool_choice",
      code: "invalid_value",
    });
  }
  return { toolChoice: type === "any" ? "required" : { name: String(name) }, ...parallel };
}

const thinkingFields: ReadonlySet<string> = new Set(["type", "budget_tokens", "display"]);
const configFields: ReadonlySet<string> = new Set(["format", "effort"]);

/** How the answer is to be: its schema, and whether and how much the model thinks. */
function mannerOf(rest: Body, onUnknown: OnUnknown) {
  const thinking = objectField(rest, "thinking") ?? {};
  tellUnknown(thinking, thinkingFields, onUnknown, (name) => `thinking.${name}`);
  const { type, display } = thinking;
  if (type !== undefined && !["enabled", "adaptive", "disabled"].includes(String(type)))
    throw wrongField("thinking.type", '"enabled", "adaptive" or "disabled"');
  const config = objectField(rest, "output_config") ?? {};
  tellUnknown(config, configFields, onUnknown, (name) => `output_config.${name}`);
  const effort = textField(config, "effort", "output_config.effort");
  const format = objectField(config, "format", "output_config.format");
  const schema = format && objectField(format, "schema", "output_config.format.schema");
  if (format !== undefined && (format.type !== "json_schema" || schema === undefined))
    throw wrongField("output_config.format", 'an object of { type: "json_schema", schema }');
  const variables = {
    ...(type !== undefined && { enable_thinking: type !== "disabled" }),
    ...(effort !== undefined && { reasoning_effort: effort }),
    ...objectField(rest, "chat_template_kwargs"),
  };
  return {
    schema,
    variables: Object.keys(variables).length > 0 ? variables : undefined,
    hidesThoughts: display === "omitted",
  };
}

/** The body's names of options, as errors of the engine tell them. */
function messagesNames(body: Body, { places }: PlacedMessages): NameOption {
  const usual = optionNames(body);
  return (path) => {
    const [head, index, ...tail] = path;
    if (head === "messages" && typeof index === "number") return places[index] ?? "messages";
    if (head === "continueFinalMessage") return places.at(-1) ?? "messages";
    if (head === "stop") return index === undefined ? "stop_sequences" : `stop_sequences[${index}]`;
    if (head === "maxTokens") return "max_tokens";
    if (head === "jsonSchema") return "output_config.format.schema";
    if (head === "tools" && index !== undefined) {
      const steps = tail.map((step) => (step === "parameters" ? "input_schema" : step));
      return [`tools[${index}]`, ...steps].join(".");
    }
    return usual(path);
  };
}
