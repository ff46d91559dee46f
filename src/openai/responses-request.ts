// A Responses body as a GenerateRequest, and what its answer repeats of it.
import type { ChatMessage } from "../chat/messages.js";
import type { ConstraintOptions } from "../constraints/constraint.js";
import type { GenerateRequest } from "../engine/generate-request.js";
import type { NameOption } from "../errors.js";
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
import { isObject } from "./messages.js";
import { optionNames } from "./option-names.js";
import { inputMessages, type PlacedMessages } from "./responses-input.js";
import { chosenTools } from "./responses-tools.js";
import { toolFormOf } from "./tool-form.js";
import { asNumber } from "./values.js";

/** What this route reads besides the fields that choose tokens. */
export const responsesFields: ReadonlySet<string> = new Set([
  ...constraintFields.filter((name) => name !== "response_format"),
  "model",
  "input",
  "instructions",
  "previous_response_id",
  "stream",
  "stream_options",
  "max_tool_calls",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "tool_form",
  "text",
  "reasoning",
  "include",
  "top_logprobs",
  "truncation",
  "chat_template_kwargs",
  "request_id",
]);

/** Fields of which only this value, and null, are supported. */
export const responsesOfOneValue: Readonly<Record<string, unknown>> = {
  background: false,
  enable_response_messages: false,
  truncation: "disabled",
  conversation: undefined,
  prompt: undefined,
  context_management: undefined,
  previous_response: undefined,
  previous_input_messages: undefined,
};

/** Other routes' names of options, which nobody defines for this one. */
const ofOtherRoutes = ["n", "max_tokens", "max_completion_tokens"];
const tiers = ["auto", "default", "flex", "scale", "priority"];
const logProbsWord = "message.output_text.logprobs";
const includable = [
  logProbsWord,
  "reasoning.encrypted_content",
  "code_interpreter_call.outputs",
  "computer_call_output.output.image_url",
  "file_search_call.results",
  "message.input_image.image_url",
  "web_search_call.action.sources",
  "web_search_call.results",
];

export interface ReadResponses {
  readonly request: GenerateRequest;
  /** What the request adds to its conversation. */
  readonly said: readonly ChatMessage[];
  /** The answer continues the last of these. */
  readonly continuesFinal: boolean;
  /** Fields of the answer that repeat the request's. */
  readonly echo: Readonly<Record<string, unknown>>;
  /** For errors of the engine. */
  readonly names: NameOption;
}

/** @param history the conversation that the request goes on with @throws ApiError */
export function responsesRequest(
  body: Body,
  history: readonly ChatMessage[],
  onUnknown: OnUnknown,
): ReadResponses {
  refuseOthers(body);
  const given = Object.entries(body).filter(([name]) => !(name in responsesOfOneValue));
  const { max_output_tokens, ...fields }: Body = Object.fromEntries(given);
  for (const name of ofOtherRoutes) if (name in fields) onUnknown(name);
  const own = Object.fromEntries(Object.entries(fields).filter(([name]) => !ofOtherRoutes.includes(name)));
  const { options, rest } = takeFields({ ...own, max_tokens: max_output_tokens });
  tellUnknown(rest, responsesFields, onUnknown);
  const input = inputMessages(rest.input, onUnknown);
  const instructions = textField(rest, "instructions");
  const before = [...(instructions ? [{ role: "system", content: instructions }] : []), ...history];
  const { tools, toolChoice } = chosenTools(rest, onUnknown);
  const several = booleanField(rest, "parallel_tool_calls");
  const parallel = toolChoice === "required" ? (several ?? true) : several;
  const constraint = constraintOf(rest, onUnknown);
  if (tools !== undefined && toolChoice !== "none") refuseBoth(constraint, rest);
  const variables = variablesOf(rest, onUnknown);
  const logProbs = logProbsOf(rest);
  const request: GenerateRequest = {
    temperature: 1,
    topP: 1,
    ...options,
    ...constraint,
    messages: [...before, ...input.messages],
    ...(variables !== undefined && { chatVariables: variables }),
    ...(tools !== undefined && { tools }),
    ...(toolChoice !== undefined && { toolChoice }),
    ...(tools !== undefined && parallel !== undefined && { parallelToolCalls: parallel }),
    ...toolFormOf(rest),
    ...(input.continuesFinal && { continueFinalMessage: true }),
    ...(logProbs !== undefined && { logProbs }),
  };
  const names = responsesNames(body, before.length, input);
  const { messages: said, continuesFinal } = input;
  return { request, said, continuesFinal, echo: echoOf(body, request), names };
}

function refuseOthers(body: Body): void {
  for (const [name, served] of Object.entries(responsesOfOneValue)) {
    const value = body[name];
    if (value === undefined || value === null || value === served) continue;
    if (served === undefined) refuseField(name);
    throw new ApiError(400, `${name} is not supported but for ${JSON.stringify(served)}`, {
      param: name,
      code: "unsupported_value",
    });
  }
  const tier = textField(body, "service_tier");
  if (tier !== undefined && !tiers.includes(tier))
    throw wrongField("service_tier", `one of ${tiers.join(", ")}`);
  const options = objectField(body, "stream_options");
  if (options !== undefined && body.stream !== true) {
    throw new ApiError(400, "stream_options must come with stream true", { param: "stream_options" });
  }
  if (!Object.values(objectField(body, "metadata") ?? {}).every((value) => typeof value === "string"))
    throw wrongField("metadata", "an object whose values are strings");
}

const textFields: ReadonlySet<string> = new Set(["format", "verbosity"]);
const formatFields: ReadonlySet<string> = new Set(["type", "name", "description", "schema", "strict"]);

/** What binds the text: text.format, or what binds the text of the other routes. */
function constraintOf(rest: Body, onUnknown: OnUnknown): ConstraintOptions {
  const format = formatOf(rest, onUnknown);
  const other = takeConstraint({ ...rest, response_format: undefined }, onUnknown);
  if (format === undefined) return other;
  if (Object.keys(other).length === 0) return { jsonSchema: format };
  throw new ApiError(
    400,
    `give text.format or ${usedConstraint(rest)}, not both: each of them binds the whole text`,
    {
      param: "text.format",
    },
  );
}

function usedConstraint(rest: Body): string {
  return constraintFields.find((name) => rest[name] !== undefined) ?? "text.format";
}

/** The schema of the text's format; undefined: any text. */
function formatOf(rest: Body, onUnknown: OnUnknown): Body | undefined {
  const text = objectField(rest, "text") ?? {};
  tellUnknown(text, textFields, onUnknown, (name) => `text.${name}`);
  const verbosity = textField(text, "verbosity", "text.verbosity") ?? "medium";
  if (verbosity !== "medium") refuseField("text.verbosity");
  const path = "text.format";
  const format = objectField(text, "format", path);
  if (format === undefined || format.type === "text") return undefined;
  tellUnknown(format, formatFields, onUnknown, (name) => `${path}.${name}`);
  if (format.type === "json_object") return { type: "object" };
  if (format.type !== "json_schema")
    throw wrongField(`${path}.type`, '"text", "json_object" or "json_schema"');
  const schema = objectField(format, "schema", `${path}.schema`);
  if (schema === undefined) throw wrongField(`${path}.schema`, "a JSON schema");
  return schema;
}

/** As in chat: a call is no text that a schema could bind. */
function refuseBoth(constraint: object, rest: Body): void {
  if (Object.keys(constraint).length === 0) return;
  const param = constraintFields.some((name) => rest[name] !== undefined)
    ? usedConstraint(rest)
    : "text.format";
  throw new ApiError(
    400,
    `${param} is not supported beside tools; leave one out, or send tool_choice "none"`,
    {
      param,
      code: "unsupported_value",
    },
  );
}

const reasoningFields: ReadonlySet<string> = new Set([
  "effort",
  "summary",
  "generate_summary",
  "context",
  "mode",
]);

function variablesOf(rest: Body, onUnknown: OnUnknown): Readonly<Record<string, unknown>> | undefined {
  const reasoning = objectField(rest, "reasoning") ?? {};
  tellUnknown(reasoning, reasoningFields, onUnknown, (name) => `reasoning.${name}`);
  const effort = textField(reasoning, "effort", "reasoning.effort");
  const given = objectField(rest, "chat_template_kwargs");
  if (effort === undefined) return given;
  return { reasoning_effort: effort, enable_thinking: effort !== "none", ...given };
}

function logProbsOf(rest: Body): number | undefined {
  const include = rest.include ?? [];
  if (!Array.isArray(include)) throw wrongField("include", "a list");
  const wrong = include.findIndex((each: unknown) => !includable.includes(each as string));
  if (wrong >= 0) throw wrongField(`include[${wrong}]`, `one of ${includable.join(", ")}`);
  const top = asNumber(rest.top_logprobs ?? 0);
  if (typeof top !== "number") throw wrongField("top_logprobs", "an integer from 0 to 20");
  return include.includes(logProbsWord) ? top : undefined;
}

/** The body's names of options, as errors of the engine tell them. */
function responsesNames(body: Body, before: number, { places }: PlacedMessages): NameOption {
  const usual = optionNames(body);
  return (path) => {
    const [head, index, ...tail] = path;
    if (head === "messages" && typeof index === "number") {
      return (
        places[index - before] ?? (index === 0 && body.instructions ? "instructions" : "previous_response_id")
      );
    }
    if (head === "messages") return "input";
    if (head === "continueFinalMessage") return places.at(-1) ?? "input";
    if (head === "maxTokens") return "max_output_tokens";
    if (head === "logProbs") return "top_logprobs";
    if (head === "jsonSchema" && isObject(body.text) && isObject(body.text.format))
      return "text.format.schema";
    if (head === "tools" && index !== undefined) return [`tools[${index}]`, ...tail].join(".");
    return usual(path);
  };
}

/** In vLLM's form: what was not said is null. */
function echoOf(
  body: Body,
  { temperature, topP, logProbs, tools, ...options }: GenerateRequest,
): ReadResponses["echo"] {
  const orNull = (name: string) => body[name] ?? null;
  return {
    instructions: orNull("instructions"),
    metadata: orNull("metadata"),
    parallel_tool_calls: booleanField(body, "parallel_tool_calls") ?? true,
    temperature,
    tool_choice: tools === undefined ? "none" : (body.tool_choice ?? "auto"),
    tools: (Array.isArray(body.tools) ? body.tools : []).map((tool: object) => ({
      description: null,
      parameters: null,
      strict: null,
      ...tool,
    })),
    top_p: topP,
    background: false,
    max_output_tokens: options.maxTokens ?? null,
    max_tool_calls: orNull("max_tool_calls"),
    previous_response_id: orNull("previous_response_id"),
    prompt: null,
    reasoning: isObject(body.reasoning)
      ? { effort: null, generate_summary: null, summary: null, ...body.reasoning }
      : null,
    service_tier: body.service_tier ?? "auto",
    text: isObject(body.text) ? textEcho(body.text) : null,
    top_logprobs: logProbs ?? null,
    truncation: "disabled",
    user: orNull("user"),
    presence_penalty: options.presencePenalty ?? 0,
    frequency_penalty: options.frequencyPenalty ?? 0,
  };
}

function textEcho({ format, verbosity = null }: Body): object {
  const isSchema = isObject(format) && format.type === "json_schema";
  return { format: isSchema ? { description: null, strict: null, ...format } : (format ?? null), verbosity };
}
