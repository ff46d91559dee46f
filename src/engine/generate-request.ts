// One generation's request as its caller writes it: a prompt or a conversation. Judged in
// request.ts.
import type { ChatMessage } from "../chat/messages.js";
import type { Tool, ToolChoice, ToolForm } from "../chat/tools.js";
import type { ConstraintOptions } from "../constraints/constraint.js";
import type { SchemaOption } from "../constraints/output-schema.js";
import type { LoraChoice } from "./loras.js";
import type { SamplingOptions } from "./sampling.js";
import type { Seed } from "./seed.js";

/** What a request says beside its prompt or conversation. */
export interface GenerateOptions<Schema extends SchemaOption | undefined = SchemaOption | undefined>
  extends SamplingOptions,
    ConstraintOptions<Schema> {
  /**
   * Answers to generate, 1 to 128, all of one prompt, which is computed once. Choice
   * i is what the seed plus i gives alone. Default 1.
   */
  readonly n?: number | undefined;
  /** Tokens to generate at most, from 1. Default: until the context is full. */
  readonly maxTokens?: number | undefined;
  /**
   * Tokens to generate at least: end tokens and stopTokens are forbidden
   * before; stop strings are not, nor is the end of a text that a grammar, schema,
   * regex or choice lets go no further. At most maxTokens, and what the context
   * has beside the prompt (else CONTEXT_OVERFLOW). Default 0.
   */
  readonly minTokens?: number | undefined;
  /**
   * Ends the generation where the text contains one of these; neither the stop
   * string nor what follows is delivered. Up to 16 strings of 1 to 256 UTF-8
   * bytes. Default none.
   */
  readonly stop?: string | readonly string[] | undefined;
  /** Token ids that end the generation besides the model's own, up to 256. Default none. */
  readonly stopTokens?: readonly number[] | undefined;
  /**
   * Tell the log-probability of each token, and of this many of the likeliest in
   * its place, 0 to 20: natural logarithms of the model's own distribution,
   * before temperature, penalties, filters and bias. Default: not told.
   */
  readonly logProbs?: number | undefined;
  /**
   * Tell how likely each token of the prompt was, and this many of the likeliest in its place, 0
   * to 20, as `logProbs` does of the answer. Comes as the result's `promptLogProbs` and in a
   * `prompt` event. The prompt is computed anew, whatever others computed of it, in smaller
   * pieces. Default: not told.
   */
  readonly promptLogProbs?: number | undefined;
  /** Tell the prompt's token ids: the result's `promptTokens`, and a `prompt` event. Default false. */
  readonly promptTokens?: boolean | undefined;
  /** The stop string or the token that ends the answer is delivered too, the token with its text. Default false. */
  readonly includeStop?: boolean | undefined;
  /**
   * Special tokens that the model generates are in the text, as the vocabulary spells them; an end
   * token only with `includeStop`. Default false.
   */
  readonly showSpecial?: boolean | undefined;
  /**
   * Token ids of which each token is chosen, no others: an end token only where it is one of them.
   * Default: all.
   */
  readonly allowedTokens?: readonly number[] | undefined;
  /**
   * Texts that are not generated, up to 1,024 of 1 to 256 UTF-8 bytes: of each, by itself and after
   * a space, the tokens that the tokenizer makes of it. Other tokens may still spell it. Default none.
   */
  readonly badWords?: readonly string[] | undefined;
  /** Read only this many of the prompt's last tokens, at least 1. Default: all. */
  readonly truncatePrompt?: number | undefined;
  /** Go on past the model's end-of-generation tokens. Default false. */
  readonly ignoreEos?: boolean | undefined;
  /**
   * Read special tokens such as <|im_start|> written in the prompt's text as
   * tokens, not as text. Default false: text cannot forge them.
   */
  readonly parseSpecial?: boolean | undefined;
  /** Share what is computed with generations that begin alike. Default true. */
  readonly cache?: boolean | undefined;
  /**
   * Share only with generations of the same salt, so that tenants learn
   * nothing of each other from what is fast. Up to 256 UTF-8 bytes. Default "".
   */
  readonly cacheSalt?: string | undefined;
  /**
   * Which of the engine's LoRA adapters it has, by name: those named, each by its
   * scale, and no others; [] none at all. What was computed with other adapters is
   * not shared. Default: all, as the engine was made.
   */
  readonly loras?: readonly LoraChoice[] | undefined;
  /** Cancels the generation wherever it is: waiting, in its prompt, or running. */
  readonly signal?: AbortSignal | undefined;
}

/** A prompt to go on with. */
export interface PromptRequest<Schema extends SchemaOption | undefined = SchemaOption | undefined>
  extends GenerateOptions<Schema> {
  /**
   * Text, or token ids of the model's vocabulary. Text gets the model's own
   * begin-of-sequence token where the model asks for one; token ids are used
   * as they are. Empty only where the model adds such a token.
   */
  readonly prompt: string | readonly number[] | Int32Array;
  /**
   * Put the begin-of-sequence token that the model asks for before a prompt's text.
   * Default true; false for a text that holds it already.
   */
  readonly addSpecial?: boolean | undefined;
  /** @internal Of conversations only. */
  readonly messages?: undefined;
  /** @internal Of conversations only. */
  readonly addGenerationPrompt?: undefined;
  /** @internal Of conversations only. */
  readonly continueFinalMessage?: undefined;
  /** @internal Of conversations only. */
  readonly chatVariables?: undefined;
  /** @internal Of conversations only. */
  readonly tools?: undefined;
  /** @internal Of conversations only. */
  readonly toolChoice?: undefined;
  /** @internal Of conversations only. */
  readonly parallelToolCalls?: undefined;
  /** @internal Of conversations only. */
  readonly toolForm?: undefined;
  /** @internal Of conversations only. */
  readonly splitReasoning?: undefined;
}

/** A conversation to answer. */
export interface ChatRequest<Schema extends SchemaOption | undefined = SchemaOption | undefined>
  extends GenerateOptions<Schema> {
  /**
   * A conversation to answer, written out by the model's chat template. Special
   * tokens in the template count as such, and those that a message spells too.
   */
  readonly messages: readonly ChatMessage[];
  /** End the prompt with the beginning of the assistant's answer. Default true. */
  readonly addGenerationPrompt?: boolean | undefined;
  /**
   * Go on with the last message, whose text the answer continues and does not repeat. Without
   * tools; what is said is not taken apart. Default false.
   */
  readonly continueFinalMessage?: boolean | undefined;
  /** Further variables of the chat template, such as `enable_thinking`. */
  readonly chatVariables?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Functions that the model may ask to be called, up to 128, [] as if left out; the
   * answer's calls come as `toolCalls`. With no constraint unless `toolChoice` is "none".
   */
  readonly tools?: readonly Tool[] | undefined;
  /** Whether one is called. Default "auto". Only with `tools`. */
  readonly toolChoice?: ToolChoice | undefined;
  /** Several calls in one answer. Default: as the template has it, one if required. Only with `tools`. */
  readonly parallelToolCalls?: boolean | undefined;
  /**
   * How calls are written: as the model's template has them or, where it has no place for tools, in a
   * generic form that a system message tells the model. "template": tools are refused there. "generic":
   * always that form. Default "auto".
   */
  readonly toolForm?: ToolForm | undefined;
  /**
   * Tell what the model thinks apart from what it says, where its template marks
   * thoughts. Default true; false leaves thoughts and their marks in the text.
   */
  readonly splitReasoning?: boolean | undefined;
  /** @internal Of prompts only. */
  readonly prompt?: undefined;
  /** @internal Of prompts only. */
  readonly addSpecial?: undefined;
}

/** What to generate, a prompt or a conversation, and how to choose its tokens. */
export type GenerateRequest<Schema extends SchemaOption | undefined = SchemaOption | undefined> =
  | PromptRequest<Schema>
  | ChatRequest<Schema>;

/** How to go on with a running generation a second time. */
export interface ForkOptions {
  /** As GenerateRequest.seed. Default: random. */
  readonly seed?: Seed | undefined;
  /** Which of the generation's answers. Default 0. */
  readonly choiceIndex?: number | undefined;
  /** Cancels the new generation. */
  readonly signal?: AbortSignal | undefined;
}

/** How to load a state. */
export interface LoadStateOptions {
  /** As GenerateRequest.cacheSalt. Default "". */
  readonly cacheSalt?: string | undefined;
  /** As GenerateRequest.loras: those with which the state was computed. */
  readonly loras?: readonly LoraChoice[] | undefined;
}
