// One generation's request: its type, limits and defaults, and its judged form
// for the addon. How its tokens are chosen is in sampling.ts.
import { z } from "zod";
import {
  type ChatMessage,
  type Conversation,
  messagesSchema,
  toolShape,
  variablesSchema,
} from "../chat/messages.js";
import { judgeTools, type Tool, type ToolChoice } from "../chat/tools.js";
import { type ConstraintOptions, constraintShape, judgeConstraint } from "../constraints/constraint.js";
import type { Keywords } from "../constraints/schema-parts.js";
import { invalidOption } from "../errors.js";
import type { NativeRequest } from "../native.js";
import { abortSignal, flag, integer, judge } from "./judge.js";
import { choiceSchema, type LoadedLora, type LoraChoice } from "./loras.js";
import {
  flatBias,
  isToken,
  maximumInt32,
  type SamplingOptions,
  samplingShape,
  seedSchema,
} from "./sampling.js";

/** What to generate and how to choose its tokens. */
export interface GenerateRequest extends SamplingOptions, ConstraintOptions {
  /**
   * Text, or token ids of the model's vocabulary. Text gets the model's own
   * begin-of-sequence token where the model asks for one; token ids are used
   * as they are. Empty only where the model adds such a token. Either this or
   * `messages`.
   */
  readonly prompt?: string | readonly number[] | Int32Array | undefined;
  /**
   * A conversation to answer, written out by the model's chat template. Special
   * tokens in the template count as such.
   */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** Further variables of the chat template, such as `enable_thinking`. Only with `messages`. */
  readonly chatVariables?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Functions that the model may ask to be called, 1 to 128; the answer's calls
   * come as `toolCalls`. Only with `messages`, and with no constraint unless `toolChoice`
   * is "none". Refused
   * where the model's template has no place for them.
   */
  readonly tools?: readonly Tool[] | undefined;
  /** Whether one is called. Default "auto". Only with `tools`. */
  readonly toolChoice?: ToolChoice | undefined;
  /** Several calls in one answer. Default: as the template has it, one if required. Only with `tools`. */
  readonly parallelToolCalls?: boolean | undefined;
  /**
   * Tell what the model thinks apart from what it says, where its template marks
   * thoughts. Default true; false leaves thoughts and their marks in the text.
   * Only with `messages`.
   */
  readonly splitReasoning?: boolean | undefined;
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
  /** Go on past the model's end-of-generation tokens. Default false. */
  readonly ignoreEos?: boolean | undefined;
  /**
   * Put the begin-of-sequence token that the model asks for before a prompt's text.
   * Default true; false for a text that holds it already. Only with `prompt`.
   */
  readonly addSpecial?: boolean | undefined;
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

/** What the judge of requests must know about the model. */
export interface VocabularyLimits {
  readonly vocabularySize: number;
  /** Whether the model puts a begin-of-sequence token before a text. */
  readonly addBos: boolean;
  /** Adapters the engine has loaded. */
  readonly loras: readonly LoadedLora[];
}

/** How to go on with a running generation a second time. */
export interface ForkOptions {
  /** As GenerateRequest.seed. Default: random. */
  readonly seed?: number | bigint | undefined;
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

const maximumChoices = 128;
const maximumStops = 16;
const maximumLogProbs = 20;
const maximumStopBytes = 256;
const maximumStopTokens = 256;
const maximumSaltBytes = 256;

const stopPhrase = `a non-empty string of at most ${maximumStopBytes} UTF-8 bytes, or up to ${maximumStops} of them`;

const saltPhrase = `a string of at most ${maximumSaltBytes} UTF-8 bytes without NUL`;

function isStop(value: unknown): boolean {
  if (Array.isArray(value)) return value.length <= maximumStops && value.every(isStopString);
  return isStopString(value);
}

function isStopString(value: unknown): boolean {
  return typeof value === "string" && value !== "" && Buffer.byteLength(value) <= maximumStopBytes;
}

function isSalt(value: unknown): boolean {
  if (typeof value !== "string" || value.includes("\0")) return false;
  return Buffer.byteLength(value) <= maximumSaltBytes;
}

const saltSchema = z.custom<string>(isSalt, saltPhrase).default("");

/** The schema of a model's requests; made once per engine. */
export function requestSchema(limits: VocabularyLimits) {
  const last = limits.vocabularySize - 1;
  return z.strictObject({
    prompt: promptSchema(limits).optional(),
    messages: messagesSchema.optional(),
    chatVariables: variablesSchema.optional(),
    ...toolShape,
    splitReasoning: flag().optional(),
    n: integer(1, maximumChoices).default(1),
    maxTokens: z
      .int("an integer of at least 1")
      .min(1, "an integer of at least 1")
      .max(maximumInt32, `an integer of at most ${maximumInt32}`)
      .optional(),
    ...samplingShape(limits.vocabularySize),
    ...constraintShape,
    minTokens: integer(0, maximumInt32).default(0),
    stop: z.custom<string | readonly string[]>(isStop, stopPhrase).default([]),
    stopTokens: z
      .array(integer(0, last), "an array of token ids")
      .max(maximumStopTokens, `at most ${maximumStopTokens} token ids`)
      .default([]),
    logProbs: integer(0, maximumLogProbs).optional(),
    ignoreEos: flag().default(false),
    addSpecial: flag().default(true),
    parseSpecial: flag().default(false),
    cache: flag().default(true),
    cacheSalt: saltSchema,
    loras: choiceSchema(limits.loras),
    signal: abortSignal().optional(),
  });
}

/** The schema of one model's requests. */
export type RequestSchema = ReturnType<typeof requestSchema>;

function promptSchema(limits: VocabularyLimits) {
  return z.custom<string | readonly number[] | Int32Array>().superRefine((prompt, context) => {
    const refuse = (message: string, path: number[] = []) =>
      context.addIssue({ code: "custom", message, path, continue: false });
    if (typeof prompt === "string") {
      if (prompt === "" && !limits.addBos) {
        refuse("non-empty, since this model adds no begin-of-sequence token");
      }
      return;
    }
    if (!Array.isArray(prompt) && !(prompt instanceof Int32Array)) {
      return refuse("a string or an array of token ids");
    }
    if (prompt.length === 0) return refuse("at least one token");
    const wrong = prompt.findIndex((token) => !isToken(token, limits.vocabularySize));
    if (wrong >= 0) refuse(`a token id from 0 to ${limits.vocabularySize - 1}`, [wrong]);
  });
}

/** The addon's spelling of "do not tell". */
export const noLogProbs = -1;

/** A request in judged form: what the addon takes, and what stays here. */
export interface JudgedRequest {
  /** Its prompt is empty where there is a chat to be rendered. */
  readonly native: NativeRequest;
  readonly n: number;
  readonly chat: Conversation | undefined;
  /** The option that its grammar is made of, where that is not `grammar`. */
  readonly boundBy: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * @param randomSeed called when the request has no seed
 * @param call the public function's name, opens the sentence
 * @throws InferenceError INVALID_OPTION
 */
export function judgeRequest(
  schema: RequestSchema,
  request: unknown,
  randomSeed: () => bigint,
  call = "generate()",
): JudgedRequest {
  const judged = judge(call, schema, request);
  const { signal, prompt = "", ...options } = judged;
  const { n, maxTokens, seed, stop, logitBias, logProbs, loras, ...rest } = withoutText(options);
  refuseTwoPrompts(call, judged);
  refuseTooFew(call, judged);
  const { grammar, schema: jsonSchema, field } = judgeConstraint(judged, call);
  const boundBy = field === "grammar" ? undefined : (field ?? (judged.tools && "tools"));
  const chat = judgeChat(call, judged, grammar !== "", jsonSchema as Keywords | undefined);
  const native: NativeRequest = {
    ...rest,
    prompt: typeof prompt === "string" ? prompt : Int32Array.from(prompt),
    ...unbound,
    grammar,
    siblings: false,
    loras: loras ?? null,
    embeds: false,
    ranks: false,
    saves: false,
    maxTokens: maxTokens ?? 0,
    logProbs: logProbs ?? noLogProbs,
    seed: seed === undefined ? randomSeed() : BigInt(seed),
    stop: typeof stop === "string" ? [stop] : [...stop],
    logitBias: flatBias(logitBias),
  };
  return { native: Object.freeze(native), n, chat, boundBy, signal };
}

/** What the template of a conversation may add. */
const unbound = {
  grammarPrefix: "",
  triggers: [],
  thinkingStart: "",
  thinkingEnds: [],
  thinking: false,
  visible: [],
} as const;

type Judged = z.infer<RequestSchema>;

/** The fields that say how tokens are chosen. */
function withoutText(judged: Omit<Judged, "signal" | "prompt">) {
  const { messages, chatVariables, tools, toolChoice, parallelToolCalls, splitReasoning, ...rest } = judged;
  const { grammar, jsonSchema, regex, choice, ...sampling } = rest;
  return sampling;
}

/** What a text that is bound from its first token on says is not taken apart. */
function judgeChat(
  call: string,
  judged: Judged,
  bound: boolean,
  schema: Keywords | undefined,
): Conversation | undefined {
  const { messages, chatVariables, tools, splitReasoning } = judged;
  if (messages === undefined) {
    if (tools !== undefined) throw invalidOption(call, ["tools"], "must come with messages");
    if (splitReasoning !== undefined)
      throw invalidOption(call, ["splitReasoning"], "must come with messages");
  }
  const judgedTools = judgeTools(call, judged);
  if (judgedTools !== undefined && judgedTools.choice !== "none" && bound) {
    const constraints = ["grammar", "jsonSchema", "regex", "choice"];
    throw invalidOption(
      call,
      [],
      (name) => `give tools or a constraint (${constraints.map(name).join(", ")}), not both`,
    );
  }
  if (messages === undefined) return undefined;
  return {
    messages,
    variables: chatVariables ?? {},
    addGenerationPrompt: true,
    tools: judgedTools,
    splitReasoning: (splitReasoning ?? true) && (!bound || schema !== undefined),
    schema,
  };
}

const forkSchema = z.strictObject({
  seed: seedSchema.optional(),
  choiceIndex: integer(0, maximumChoices - 1).default(0),
  signal: abortSignal().optional(),
});

/** @throws InferenceError INVALID_OPTION */
export function judgeLoadState(options: unknown, loaded: readonly LoadedLora[]): StateKey {
  const schema = z.strictObject({ cacheSalt: saltSchema, loras: choiceSchema(loaded) });
  const { cacheSalt, loras } = judge("loadState()", schema, options);
  return { cacheSalt, loras: loras ?? null };
}

/** Who may share a state. */
export type StateKey = Pick<NativeRequest, "cacheSalt" | "loras">;

/** A fork in judged form. */
export interface JudgedFork {
  readonly seed: bigint;
  readonly choiceIndex: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws InferenceError INVALID_OPTION */
export function judgeFork(options: unknown, randomSeed: () => bigint): JudgedFork {
  const { seed, choiceIndex, signal } = judge("fork()", forkSchema, options);
  return { seed: seed === undefined ? randomSeed() : BigInt(seed), choiceIndex, signal };
}

function refuseTooFew(call: string, { minTokens = 0, maxTokens }: Partial<Judged>): void {
  if (maxTokens === undefined || minTokens <= maxTokens) return;
  throw invalidOption(
    call,
    ["minTokens"],
    (name) => `must be at most ${name("maxTokens")}, ${maxTokens}, got ${minTokens}`,
  );
}

function refuseTwoPrompts(
  call: string,
  { prompt, messages, chatVariables, addSpecial = true }: Partial<Judged>,
): void {
  if (prompt === undefined && messages === undefined) {
    throw invalidOption(call, [], "prompt or messages must be given, got neither");
  }
  if (prompt !== undefined && messages !== undefined) {
    throw invalidOption(call, [], "give prompt or messages, not both");
  }
  if (chatVariables !== undefined && messages === undefined) {
    throw invalidOption(call, ["chatVariables"], "must come with messages");
  }
  if (addSpecial) return;
  if (messages !== undefined) throw invalidOption(call, ["addSpecial"], "false must come with prompt");
  if (prompt === "") throw invalidOption(call, ["prompt"], "must be non-empty where addSpecial is false");
}

/**
 * Token ids as the addon takes them.
 * @throws InferenceError INVALID_OPTION
 */
export function judgeTokens(call: string, tokens: unknown, vocabularySize: number): Int32Array {
  if (!Array.isArray(tokens) && !(tokens instanceof Int32Array)) {
    throw invalidOption(call, ["tokens"], "must be an array of token ids");
  }
  const wrong = tokens.findIndex((token) => !isToken(token, vocabularySize));
  if (wrong < 0) return Int32Array.from(tokens);
  const problem = `must be a token id from 0 to ${vocabularySize - 1}, got ${String(tokens[wrong])}`;
  throw invalidOption(call, ["tokens", wrong], problem);
}
