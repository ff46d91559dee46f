// A completions body as one GenerateRequest per prompt.
import type { GenerateRequest } from "../engine/generate-request.js";
import { ApiError, wrongField } from "./api-error.js";
import { constraintFields, takeConstraint } from "./constraints.js";
import { type Body, booleanField, type OnUnknown, takeFields, tellUnknown } from "./fields.js";
import { asNumber } from "./values.js";

/** What this route reads besides the fields that choose tokens. */
export const completionFields: ReadonlySet<string> = new Set([
  ...constraintFields,
  "model",
  "prompt",
  "stream",
  "stream_options",
  "logprobs",
  "echo",
  "add_special_tokens",
  "request_id",
]);
const maximumPrompts = 64;

/** OpenAI's defaults, where they differ from the engine's. */
const defaults = { temperature: 1, topP: 1, maxTokens: 16 } as const;

/** What a completions body asks for. */
export interface CompletionRequest {
  readonly requests: readonly GenerateRequest[];
  /** Put the prompt before the text. */
  readonly echo: boolean;
}

/** @throws ApiError */
export function completionRequest(body: Body, onUnknown: OnUnknown = () => {}): CompletionRequest {
  const echo = booleanField(body, "echo") ?? false;
  const { options, rest } = takeFields({ ...body, echo: undefined });
  tellUnknown(rest, completionFields, onUnknown);
  const logProbs = asNumber(rest.logprobs);
  if (logProbs !== undefined && typeof logProbs !== "number") {
    throw wrongField("logprobs", "an integer from 0 to 20");
  }
  if (echo && logProbs !== undefined) {
    throw new ApiError(400, "echo is not supported with logprobs", { param: "echo" });
  }
  const addSpecial = booleanField(rest, "add_special_tokens");
  const shared = {
    ...defaults,
    ...options,
    ...takeConstraint(rest, onUnknown),
    // Who says how special tokens are added has written the prompt's own out, as for vLLM.
    ...(addSpecial !== undefined && { addSpecial, parseSpecial: true }),
    ...(logProbs !== undefined && { logProbs }),
  };
  return { requests: promptsOf(rest.prompt).map((prompt) => ({ ...shared, prompt })), echo };
}

function promptsOf(given: unknown): readonly (string | readonly number[])[] {
  if (typeof given === "string") return [given];
  if (!Array.isArray(given) || given.length === 0) {
    throw wrongField("prompt", "text, token ids, or a list of either");
  }
  if (given.every((each) => typeof each === "number")) return [given as number[]];
  if (given.length > maximumPrompts) throw wrongField("prompt", `at most ${maximumPrompts} prompts`);
  return given as (string | readonly number[])[];
}
