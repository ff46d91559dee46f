// What an answer tells beside its text: fields of a body that change no token, only what is
// said of them.
import { bytesText, type TokenName } from "./answer-parts.js";
import { ApiError } from "./api-error.js";
import { type Body, booleanField } from "./fields.js";
import type { TextModel } from "./text-model.js";

/** What a body asks to be told. */
export interface Shown {
  /** The prompt, or a conversation's last message, before the answer. */
  readonly echo: boolean;
  /** How likely the prompt's tokens were, in vLLM's form. */
  readonly promptLogProbs: boolean;
  /** The ids of the prompt's and the answer's tokens. */
  readonly tokenIds: boolean;
  /** Tokens of log-probabilities as "token_id:7". */
  readonly tokensAsIds: boolean;
}

/** The fields read here. */
export const shownFields = ["echo", "return_token_ids", "return_tokens_as_token_ids"] as const;

/** @throws ApiError */
export function shownOf(body: Body): Shown {
  const wanted = body.prompt_logprobs !== undefined && body.prompt_logprobs !== null;
  const isStream = booleanField(body, "stream") === true;
  if (wanted && isStream && Number(body.prompt_logprobs) !== 0) {
    throw new ApiError(
      400,
      "prompt_logprobs must come without stream, or be 0; it is told in whole answers",
      {
        param: "prompt_logprobs",
      },
    );
  }
  return {
    echo: booleanField(body, "echo") ?? false,
    promptLogProbs: wanted && !isStream,
    tokenIds: booleanField(body, "return_token_ids") ?? false,
    tokensAsIds: booleanField(body, "return_tokens_as_token_ids") ?? false,
  };
}

/** How an answer writes the tokens of log-probabilities. */
export function tokenName(model: TextModel, shown?: Pick<Shown, "tokensAsIds">): TokenName {
  if (shown?.tokensAsIds) return (token) => `token_id:${token}`;
  return (token) => bytesText(model.tokenBytes(token));
}
