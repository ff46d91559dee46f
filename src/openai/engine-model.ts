// A model and its engine as the API serves them.
import type { TextModel } from "./text-model.js";

/** What of a Model the API uses. */
export interface TokenModel extends Pick<TextModel, "tokenize" | "tokenBytes" | "renderChat"> {
  /** As Model.detokenize(). */
  detokenize(tokens: readonly number[], options: { readonly special: boolean }): string;
}

/** What of an Engine the API uses. */
export interface AnsweringEngine extends Pick<TextModel, "generate" | "embed" | "rerank"> {
  readonly options: { readonly contextLength: number };
}

/** @param names requests may use; answers have the first */
export function engineModel(
  model: TokenModel,
  engine: AnsweringEngine,
  names: readonly [string, ...string[]],
): TextModel {
  const spelt = new Map<number, Uint8Array>();
  return {
    name: names[0],
    names,
    contextLength: engine.options.contextLength,
    tokenBytes: (token) => {
      const known = spelt.get(token);
      if (known !== undefined) return known;
      const bytes = model.tokenBytes(token);
      spelt.set(token, bytes);
      return bytes;
    },
    tokenize: (text, options) => model.tokenize(text, options),
    detokenize: (tokens) => model.detokenize(tokens, { special: true }),
    renderChat: (messages, options) => model.renderChat(messages, options),
    generate: (request) => engine.generate(request),
    embed: (inputs, options) => engine.embed(inputs, options),
    rerank: (request) => engine.rerank(request),
  };
}
