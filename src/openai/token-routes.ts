// /tokenize and /detokenize, as vLLM has them: the ids that a completion or a conversation
// would be computed from, and the text of ids. /apply-template, as llama-server has it: the text.
import type { GenerateRequest } from "../engine/generate-request.js";
import { bytesText } from "./answer-parts.js";
import { wrongField } from "./api-error.js";
import { chatRequest } from "./chat-request.js";
import { type Body, booleanField, type OnUnknown, refuseField, tellUnknown } from "./fields.js";
import type { TextModel } from "./text-model.js";

const completionFields: ReadonlySet<string> = new Set([
  "model",
  "prompt",
  "add_special_tokens",
  "return_token_strs",
]);
const detokenizeFields: ReadonlySet<string> = new Set(["model", "tokens"]);
/** What only this route reads of a conversation. */
const ownFields = ["return_token_strs", "chat_template"];

/** @throws ApiError, InferenceError */
export async function tokenized(model: TextModel, body: Body, onUnknown: OnUnknown): Promise<object> {
  const tokens = isGiven(body.messages)
    ? await tokensOfConversation(model, body, onUnknown)
    : tokensOfPrompt(model, body, onUnknown);
  const spells = booleanField(body, "return_token_strs") ?? false;
  return {
    count: tokens.length,
    max_model_len: model.contextLength,
    tokens,
    token_strs: spells ? tokens.map((token) => bytesText(model.tokenBytes(token))) : null,
  };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** As /v1/completions makes them of the same fields. */
function tokensOfPrompt(model: TextModel, body: Body, onUnknown: OnUnknown): readonly number[] {
  tellUnknown(body, completionFields, onUnknown);
  if (typeof body.prompt !== "string") throw wrongField("prompt", "text; or send messages");
  const addSpecial = booleanField(body, "add_special_tokens");
  return model.tokenize(body.prompt, addSpecial === undefined ? {} : { addSpecial, parseSpecial: true });
}

/** As /v1/chat/completions makes them of the same fields. */
async function tokensOfConversation(
  model: TextModel,
  body: Body,
  onUnknown: OnUnknown,
): Promise<readonly number[]> {
  if (isGiven(body.chat_template)) refuseField("chat_template");
  const conversation = Object.fromEntries(Object.entries(body).filter(([name]) => !ownFields.includes(name)));
  return conversationTokens(model, chatRequest(conversation, onUnknown));
}

/** The tokens that a conversation's answer would be computed from. @throws InferenceError */
export async function conversationTokens(
  model: TextModel,
  request: GenerateRequest,
): Promise<readonly number[]> {
  const prompt = await conversationPrompt(model, request);
  return model.tokenize(prompt, { parseSpecial: true });
}

/** Characters whose tokens are counted without holding up others: some 20 ms. */
const mostCounted = 16_384;

/** How many tokens a conversation has; of a long one it is estimated by its first characters. */
export async function aboutTokens(model: TextModel, request: GenerateRequest): Promise<number> {
  const prompt = await conversationPrompt(model, request);
  const counted = prompt.slice(0, mostCounted);
  const { length } = model.tokenize(counted, { parseSpecial: true });
  return Math.round((length * prompt.length) / Math.max(counted.length, 1));
}

/** The text that a conversation's answer would be computed from. @throws ApiError, InferenceError */
export async function templated(model: TextModel, body: Body, onUnknown: OnUnknown): Promise<object> {
  return { prompt: await conversationPrompt(model, chatRequest(body, onUnknown)) };
}

async function conversationPrompt(model: TextModel, request: GenerateRequest): Promise<string> {
  const { messages = [], chatVariables: variables, tools, toolChoice, parallelToolCalls, toolForm } = request;
  const { prompt } = await model.renderChat(messages, {
    addGenerationPrompt: request.addGenerationPrompt,
    continueFinalMessage: request.continueFinalMessage,
    variables,
    tools,
    toolChoice,
    parallelToolCalls,
    toolForm,
  });
  return prompt;
}

/** @throws ApiError, InferenceError */
export function detokenized(model: TextModel, body: Body, onUnknown: OnUnknown): object {
  tellUnknown(body, detokenizeFields, onUnknown);
  if (!Array.isArray(body.tokens)) throw wrongField("tokens", "a list of token ids");
  return { prompt: model.detokenize(body.tokens as readonly number[]) };
}
