// What the API needs of a model: its names, its tokens and their texts, its template, generations,
// embeddings and ranks.
import type { ChatMessage, ChatOptions, RenderedChat } from "../chat/messages.js";
import type { EmbedInput, EmbedOptions, EmbedResult } from "../engine/embed.js";
import type { GenerateResult, GenerationEvent } from "../engine/events.js";
import type { GenerateRequest } from "../engine/generate-request.js";
import type { RerankRequest, RerankResult } from "../engine/rerank.js";

/** A generation that runs, or the record of an earlier one. */
export interface Run extends AsyncIterable<GenerationEvent>, PromiseLike<GenerateResult> {
  /** Nothing was computed for it: it is an earlier answer, word for word. */
  readonly repeated?: boolean | undefined;
}

/** As TokenizeOptions of Model.tokenize(). */
export interface TokenizeChoices {
  readonly addSpecial?: boolean | undefined;
  readonly parseSpecial?: boolean | undefined;
}

/** A model as the API serves it. */
export interface TextModel {
  /** What answers call it. */
  readonly name: string;
  /** Every name a request may use. */
  readonly names: readonly string[];
  readonly contextLength: number;
  /** What the answer to one request is called, after its prefix. Default: a random name. */
  readonly answerId?: string | undefined;
  /** A token's bytes, perhaps a part of a character. */
  tokenBytes(token: number): Uint8Array;
  /** As Model.tokenize(). */
  tokenize(text: string, options?: TokenizeChoices): readonly number[];
  /** As Model.detokenize(). */
  detokenize(tokens: readonly number[]): string;
  /** As Model.renderChat(). */
  renderChat(messages: readonly ChatMessage[], options?: ChatOptions): Promise<RenderedChat>;
  generate(request: GenerateRequest): Run;
  /** As Engine.embed(). */
  embed(inputs: EmbedInput | readonly EmbedInput[], options: EmbedOptions): Promise<EmbedResult>;
  /** As Engine.rerank(). */
  rerank(request: RerankRequest): Promise<RerankResult>;
}

/** The model with some things of its own, which is a model again. */
export function changedModel(model: TextModel, changes: Partial<TextModel>): TextModel {
  const { name, names, contextLength, answerId } = model;
  return {
    name,
    names,
    contextLength,
    answerId,
    tokenBytes: (token) => model.tokenBytes(token),
    tokenize: (text, options) => model.tokenize(text, options),
    detokenize: (tokens) => model.detokenize(tokens),
    renderChat: (messages, options) => model.renderChat(messages, options),
    generate: (request) => model.generate(request),
    embed: (inputs, options) => model.embed(inputs, options),
    rerank: (request) => model.rerank(request),
    ...changes,
  };
}
