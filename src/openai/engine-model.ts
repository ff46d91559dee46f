// A model and its engine as the API serves them.
import type { Engine } from "../engine/engine.js";
import type { Model } from "../engine/model.js";
import type { TextModel } from "./text-model.js";

/** What of a model the API uses. */
export type TokenModel = Pick<Model, "tokenize" | "detokenize" | "tokenBytes" | "renderChat">;
/** What of an engine the API uses. */
export type AnsweringEngine = Pick<Engine, "generate" | "embed" | "rerank" | "options">;

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
