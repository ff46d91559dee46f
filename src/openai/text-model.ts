// What the API needs of a model: its names, its tokens' texts, generations and embeddings.
import type { EmbedInput, EmbedOptions, EmbedResult } from "../engine/embed.js";
import type { GenerateResult, GenerationEvent } from "../engine/events.js";
import type { GenerateRequest } from "../engine/generate-request.js";

/** A generation that runs, or the record of an earlier one. */
export interface Run extends AsyncIterable<GenerationEvent>, PromiseLike<GenerateResult> {
  /** Nothing was computed for it: it is an earlier answer, word for word. */
  readonly repeated?: boolean | undefined;
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
  generate(request: GenerateRequest): Run;
  /** As Engine.embed(). */
  embed(inputs: EmbedInput | readonly EmbedInput[], options: EmbedOptions): Promise<EmbedResult>;
}
