// A completions body as one GenerateRequest per prompt.
import type { GenerateRequest } from "../engine/generate-request.js";
import { wrongField } from "./api-error.js";
import { constraintFields, takeConstraint } from "./constraints.js";
import { type Body, booleanField, type OnUnknown, takeFields, tellUnknown } from "./fields.js";
import { type Shown, shownFields, shownOf } from "./shown.js";
import { asNumber } from "./values.js";

/** What this route reads besides the fields that choose tokens. */
export const completionFields: ReadonlySet<string> = new Set([
  ...constraintFields,
  "model",
  "prompt",
  "stream",
  "stream_options",
  "logprobs",
  ...shownFields,
  "add_special_tokens",
  "request_id",
]);
const maximumPrompts = 64;

/** OpenAI's defaults, where they differ from the engine's. */
const defaults = { temperature: 1, topP: 1, maxTokens: 16 } as const;

/** What a completions body asks for. */
export interface CompletionRequest {
  readonly requests: readonly GenerateRequest[];
  readonly shown: Shown;
  /** Log-probabilities of the text, and of the echo, are wanted. */
  readonly hasLogProbs: boolean;
  /** max_tokens 0 beside echo: the prompt is the answer. */
  readonly readsOnly: boolean;
}

/** @throws ApiError */
export function completionRequest(body: Body, onUnknown: OnUnknown = () => {}): CompletionRequest {
  const shown = shownOf(body);
  const { options, rest } = takeFields(body);
  tellUnknown(rest, completionFields, onUnknown);
  const logProbs = asNumber(rest.logprobs);
  if (logProbs !== undefined && typeof logProbs !== "number") {
    throw wrongField("logprobs", "an integer from 0 to 20");
  }
  const readsOnly = shown.echo && options.maxTokens === 0;
  const addSpecial = booleanField(rest, "add_special_tokens");
  const shared = {
    ...defaults,
    ...options,
    ...takeConstraint(rest, onUnknown),
    // Who says how special tokens are added has written the prompt's own out, as for vLLM.
    ...(addSpecial !== undefined && { addSpecial, parseSpecial: true }),
    ...(logProbs !== undefined && { logProbs }),
    ...(shown.echo && logProbs !== undefined && { promptLogProbs: options.promptLogProbs ?? logProbs }),
    ...(shown.tokenIds && { promptTokens: true }),
  };
  const hasLogProbs = logProbs !== undefined;
  const whole = readsOnly ? { ...shared, ...oneToken } : shared;
  const scores = hasLogProbs && shown.echo && whole.maxTokens === 1;
  // Scores are read as those of the prompt and of one token, be it an end token.
  const request = scores ? { ...whole, ignoreEos: true } : whole;
  const requests = promptsOf(rest.prompt).map((prompt) => ({ ...request, prompt }));
  return { requests, shown, hasLogProbs, readsOnly };
}

/** The least that the engine generates, whatever it is: nobody sees it. */
const oneToken = { maxTokens: 1, minTokens: 0, stop: [], stopTokens: [] } as const;

function promptsOf(given: unknown): readonly (string | readonly number[])[] {
  if (typeof given === "string") return [given];
  if (!Array.isArray(given) || given.length === 0) {
    throw wrongField("prompt", "text, token ids, or a list of either");
  }
  if (given.every((each) => typeof each === "number")) return [given as number[]];
  if (given.length > maximumPrompts) throw wrongField("prompt", `at most ${maximumPrompts} prompts`);
  return given as (string | readonly number[])[];
}
