// The guide's contract: {prompt, system_prompt, params} becomes one object with the
// text, the model and the tokens that were counted; a stream is objects of text.
import type { GenerationEvent, Usage } from "../engine/events.js";
import type { GenerateRequest } from "../engine/generate-request.js";
import { hint } from "../engine/suggestion.js";
import { ApiError, wrongField } from "../openai/api-error.js";
import { constraintFields, takeConstraint } from "../openai/constraints.js";
import { fieldsOfOneValue, fieldsWithoutEffect, optionFields } from "../openai/field-table.js";
import { type Body, booleanField, objectField, refuseField, takeFields } from "../openai/fields.js";
import type { TextModel } from "../openai/text-model.js";
import { coalesced } from "./coalesced.js";
import type { GuideDefaults } from "./config.js";

/** What a guide's job asks for. */
export interface GuideRequest {
  readonly request: GenerateRequest;
  readonly stream: boolean;
}

const paramsFields: ReadonlySet<string> = new Set([...constraintFields, "stream"]);
/** All that may stand in params. */
const paramsNames: readonly string[] = [
  ...optionFields.keys(),
  ...fieldsWithoutEffect,
  ...Object.keys(fieldsOfOneValue),
  ...paramsFields,
];
const inputNames: readonly string[] = ["prompt", "system_prompt", "params", "stream"];

/** @throws ApiError */
export function guideRequest(input: Body, defaults: GuideDefaults): GuideRequest {
  const { prompt, system_prompt, params: _params, stream: _stream, ...extra } = input;
  for (const name of Object.keys(extra)) throw unknownInput(name);
  const params = objectField(input, "params") ?? {};
  if (typeof prompt !== "string" || prompt === "") throw wrongField("prompt", "text");
  if (system_prompt !== undefined && system_prompt !== null && typeof system_prompt !== "string") {
    throw wrongField("system_prompt", "text");
  }
  const { options, rest } = takeFields(params);
  const unknown = Object.keys(rest).find((name) => !paramsFields.has(name));
  if (unknown !== undefined) throw unknownField(`params.${unknown}`, hint(unknown, paramsNames));
  const { n } = options;
  if (n !== undefined && n !== 1) throw new ApiError(400, "n must be 1 in this format", { param: "n" });
  const system = system_prompt ?? defaults.systemPrompt;
  const messages = [
    ...(system === "" ? [] : [{ role: "system", content: system }]),
    { role: "user", content: prompt },
  ];
  const { temperature, topP, maxTokens } = defaults;
  const request = {
    temperature,
    topP,
    maxTokens,
    ...options,
    ...takeConstraint(rest, refuseField),
    messages,
  };
  return { request, stream: booleanField(input, "stream") ?? booleanField(params, "stream") ?? false };
}

/** What OpenAI and vLLM have beside the prompt stands in params here. */
function unknownInput(name: string): ApiError {
  if (!paramsNames.includes(name)) return unknownField(name, hint(name, inputNames));
  return unknownField(
    name,
    ` beside prompt; put it into params: {"prompt": "...", "params": {"${name}": ...}}`,
  );
}

function unknownField(path: string, advice: string): ApiError {
  return new ApiError(400, `${path} is not supported${advice}`, {
    param: path,
    code: "unsupported_parameter",
  });
}

/** The whole answer. */
export async function guideAnswer(model: TextModel, request: GenerateRequest): Promise<object> {
  const run = model.generate(request);
  const { text, reasoning, usage } = await run;
  return {
    generated_text: text,
    ...(reasoning !== undefined && { reasoning }),
    model: model.name,
    usage: guideUsage(usage, run.repeated),
  };
}

/** The answer as objects; the last has the model and the usage. */
export async function* guideChunks(
  model: TextModel,
  request: GenerateRequest,
): AsyncGenerator<object, void, undefined> {
  const run = model.generate(request);
  for await (const events of coalesced<GenerationEvent>(run)) {
    const text = events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
    const end = events.find((event) => event.type === "end");
    if (end === undefined && text !== "") yield { generated_text: text };
    if (end !== undefined) {
      yield { generated_text: text, model: model.name, usage: guideUsage(end.usage, run.repeated) };
    }
  }
}

function guideUsage(usage: Usage, repeated: boolean | undefined): object {
  const { promptTokens, completionTokens, cachedPromptTokens } = usage;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    cached_tokens: repeated ? promptTokens : cachedPromptTokens,
    ...(repeated && { response_cached: true }),
  };
}
