// One generation's request: its type, limits and defaults, and its judged form
// for the addon. Order of sampling is llama.cpp's: logit bias, penalties,
// top-n-sigma, top-k, typical, top-p, min-p, XTC, temperature, draw. Defaults of temperature and top-p are
// those of native/core/types.h.
import { z } from "zod";
import { type ChatMessage, messagesSchema, variablesSchema } from "../chat/messages.js";
import { InferenceError } from "../errors.js";
import type { NativeRequest } from "../native.js";
import { abortSignal, flag, integer, judge, number, numberAbove } from "./judge.js";

/** What to generate and how to choose its tokens. */
export interface GenerateRequest {
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
  /** Tokens to generate at most, from 1. Default: until the context is full. */
  readonly maxTokens?: number | undefined;
  /** 0 takes the most likely token; up to 100. Default 0.7. */
  readonly temperature?: number | undefined;
  /** Draw from this many likeliest tokens; 0 turns it off. Default 0. */
  readonly topK?: number | undefined;
  /** Draw from the likeliest tokens that sum to this probability, above 0; 1 turns it off. Default 0.95. */
  readonly topP?: number | undefined;
  /** Drop tokens less likely than this share of the likeliest, 0 to 1; 0 turns it off. Default 0. */
  readonly minP?: number | undefined;
  /**
   * Keep the tokens whose surprise is nearest to the expected one, up to this
   * probability, above 0; 1 turns it off (locally typical sampling). Default 1.
   */
  readonly typicalP?: number | undefined;
  /** Drop tokens whose logit is this many standard deviations below the best; 0 turns it off. Default 0. */
  readonly topNSigma?: number | undefined;
  /** How often XTC drops the likeliest tokens, 0 to 1; 0 turns it off. Default 0. */
  readonly xtcProbability?: number | undefined;
  /** XTC drops all but the last of the tokens this likely, 0 to 1; above 0.5 turns it off. Default 0.1. */
  readonly xtcThreshold?: number | undefined;
  /**
   * Dynamic temperature: from temperature minus this where the model is sure, to
   * temperature plus this where it is not, 0 to 100; 0 turns it off. Default 0.
   */
  readonly dynatempRange?: number | undefined;
  /** How dynamic temperature grows with entropy, 0 to 10. Default 1. */
  readonly dynatempExponent?: number | undefined;
  /**
   * 2 draws by mirostat 2.0, which replaces topK, topP, minP, typicalP,
   * topNSigma, XTC and dynamic temperature; 0 turns it off. Default 0.
   */
  readonly mirostat?: 0 | 2 | undefined;
  /** Surprise per token that mirostat aims at, in bits, 0 to 100. Default 5. */
  readonly mirostatTau?: number | undefined;
  /** How fast mirostat adapts, 0 to 1. Default 0.1. */
  readonly mirostatEta?: number | undefined;
  /**
   * Tokens to generate at least: end tokens and stopTokens are forbidden
   * before; stop strings are not. At most maxTokens. Default 0.
   */
  readonly minTokens?: number | undefined;
  /** Divides the logits of seen tokens, above 0 to 10; 1 turns it off. Default 1. */
  readonly repeatPenalty?: number | undefined;
  /** Subtracted per occurrence of a seen token, -2 to 2 as in OpenAI's API. Default 0. */
  readonly frequencyPenalty?: number | undefined;
  /** Subtracted once from a seen token, -2 to 2 as in OpenAI's API. Default 0. */
  readonly presencePenalty?: number | undefined;
  /** Last tokens that count as seen, prompt included; -1 for all. Default 64. */
  readonly penaltyWindow?: number | undefined;
  /**
   * 0 to 2^64-1. The same seed gives the same text, alone or among others.
   * Default: random; Generation.seed tells which.
   */
  readonly seed?: number | bigint | undefined;
  /**
   * Ends the generation where the text contains one of these; neither the stop
   * string nor what follows is delivered. Up to 16 strings of 1 to 256 UTF-8
   * bytes. Default none.
   */
  readonly stop?: string | readonly string[] | undefined;
  /** Token ids that end the generation besides the model's own, up to 256. Default none. */
  readonly stopTokens?: readonly number[] | undefined;
  /** Added to the logits of these tokens: finite, or -Infinity to forbid one. Default none. */
  readonly logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number> | undefined;
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
  /** Cancels the generation wherever it is: waiting, in its prompt, or running. */
  readonly signal?: AbortSignal | undefined;
}

/** What the judge of requests must know about the model. */
export interface VocabularyLimits {
  readonly vocabularySize: number;
  /** Whether the model puts a begin-of-sequence token before a text. */
  readonly addBos: boolean;
}

const maximumStops = 16;
const maximumStopBytes = 256;
const maximumStopTokens = 256;
const maximumSaltBytes = 256;
const maximumSeed = 2n ** 64n - 1n;
const maximumInt32 = 2 ** 31 - 1;

const stopPhrase = `a non-empty string of at most ${maximumStopBytes} UTF-8 bytes, or up to ${maximumStops} of them`;
const seedPhrase = "an integer from 0 to 2^64-1 (a bigint above 2^53-1)";

function isStop(value: unknown): boolean {
  if (Array.isArray(value)) return value.length <= maximumStops && value.every(isStopString);
  return isStopString(value);
}

function isStopString(value: unknown): boolean {
  return typeof value === "string" && value !== "" && Buffer.byteLength(value) <= maximumStopBytes;
}

function isSalt(value: unknown): boolean {
  return typeof value === "string" && Buffer.byteLength(value) <= maximumSaltBytes;
}

/** The schema of a model's requests; made once per engine. */
export function requestSchema(limits: VocabularyLimits) {
  const last = limits.vocabularySize - 1;
  return z.strictObject({
    prompt: promptSchema(limits).optional(),
    messages: messagesSchema.optional(),
    chatVariables: variablesSchema.optional(),
    maxTokens: z
      .int("an integer of at least 1")
      .min(1, "an integer of at least 1")
      .max(maximumInt32, `an integer of at most ${maximumInt32}`)
      .optional(),
    temperature: number(0, 100).default(0.7),
    topK: integer(0, maximumInt32).default(0),
    topP: numberAbove(0, 1).default(0.95),
    minP: number(0, 1).default(0),
    typicalP: numberAbove(0, 1).default(1),
    topNSigma: number(0, 100).default(0),
    xtcProbability: number(0, 1).default(0),
    xtcThreshold: number(0, 1).default(0.1),
    dynatempRange: number(0, 100).default(0),
    dynatempExponent: number(0, 10).default(1),
    mirostat: z.union([z.literal(0), z.literal(2)], "0 or 2").default(0),
    mirostatTau: number(0, 100).default(5),
    mirostatEta: number(0, 1).default(0.1),
    minTokens: integer(0, maximumInt32).default(0),
    repeatPenalty: numberAbove(0, 10).default(1),
    frequencyPenalty: number(-2, 2).default(0),
    presencePenalty: number(-2, 2).default(0),
    penaltyWindow: integer(-1, maximumInt32).default(64),
    seed: z.custom<number | bigint>(isSeed, seedPhrase).optional(),
    stop: z.custom<string | readonly string[]>(isStop, stopPhrase).default([]),
    stopTokens: z
      .array(integer(0, last), "an array of token ids")
      .max(maximumStopTokens, `at most ${maximumStopTokens} token ids`)
      .default([]),
    logitBias: logitBiasSchema(last).optional(),
    ignoreEos: flag().default(false),
    parseSpecial: flag().default(false),
    cache: flag().default(true),
    cacheSalt: z.custom<string>(isSalt, `a string of at most ${maximumSaltBytes} UTF-8 bytes`).default(""),
    signal: abortSignal().optional(),
  });
}

/** The schema of one model's requests. */
export type RequestSchema = ReturnType<typeof requestSchema>;

function isSeed(value: unknown): boolean {
  if (typeof value === "bigint") return value >= 0n && value <= maximumSeed;
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

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

function isToken(value: unknown, vocabularySize: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < vocabularySize;
}

type LogitBias = Readonly<Record<number, number>> | ReadonlyMap<number, number>;

function logitBiasSchema(last: number) {
  return z.custom<LogitBias>().superRefine((given, context) => {
    const refuse = (message: string, path: (string | number)[] = []) =>
      context.addIssue({ code: "custom", message, path, continue: false });
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      return refuse("an object or a Map from token id to bias");
    }
    for (const [token, bias] of biasEntries(given)) {
      if (!isToken(token, last + 1)) {
        return refuse(`keyed by token ids from 0 to ${last}`);
      }
      if (typeof bias !== "number" || !(Number.isFinite(bias) || bias === -Infinity)) {
        return refuse("a finite number or -Infinity", [token]);
      }
    }
  });
}

function biasEntries(bias: LogitBias): readonly (readonly [number, number])[] {
  if (bias instanceof Map) return [...bias.entries()];
  return Object.entries(bias).map(([token, value]) => [Number(token), value]);
}

/** A conversation in judged form. */
export interface JudgedChat {
  readonly messages: readonly ChatMessage[];
  readonly variables: Readonly<Record<string, unknown>>;
}

/** A request in judged form: what the addon takes, and what stays here. */
export interface JudgedRequest {
  /** Its prompt is empty where there is a chat to be rendered. */
  readonly native: NativeRequest;
  readonly chat: JudgedChat | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * @param randomSeed called when the request has no seed
 * @throws InferenceError INVALID_OPTION
 */
export function judgeRequest(
  schema: RequestSchema,
  request: unknown,
  randomSeed: () => bigint,
): JudgedRequest {
  const judged = judge("generate()", schema, request);
  const { signal, prompt = "", messages, chatVariables, ...sampling } = judged;
  const { maxTokens, seed, stop, logitBias, ...rest } = sampling;
  refuseTwoPrompts(judged);
  refuseTooFew(judged);
  const native: NativeRequest = {
    ...rest,
    prompt: typeof prompt === "string" ? prompt : Int32Array.from(prompt),
    addSpecial: true,
    maxTokens: maxTokens ?? 0,
    seed: seed === undefined ? randomSeed() : BigInt(seed),
    stop: typeof stop === "string" ? [stop] : [...stop],
    logitBias: Float64Array.from(biasEntries(logitBias ?? new Map()).flat()),
  };
  const chat = messages === undefined ? undefined : { messages, variables: chatVariables ?? {} };
  return { native: Object.freeze(native), chat, signal };
}

function refuseTooFew({ minTokens = 0, maxTokens }: Partial<GenerateRequest>): void {
  if (maxTokens === undefined || minTokens <= maxTokens) return;
  throw new InferenceError(
    "INVALID_OPTION",
    `generate(): minTokens must be at most maxTokens, ${maxTokens}, got ${minTokens}`,
  );
}

function refuseTwoPrompts({ prompt, messages, chatVariables }: Partial<GenerateRequest>): void {
  const refuse = (sentence: string) => {
    throw new InferenceError("INVALID_OPTION", `generate(): ${sentence}`);
  };
  if (prompt === undefined && messages === undefined) refuse("prompt or messages must be given, got neither");
  if (prompt !== undefined && messages !== undefined) refuse("give prompt or messages, not both");
  if (chatVariables !== undefined && messages === undefined) refuse("chatVariables must come with messages");
}

/**
 * Token ids as the addon takes them.
 * @throws InferenceError INVALID_OPTION
 */
export function judgeTokens(call: string, tokens: unknown, vocabularySize: number): Int32Array {
  if (!Array.isArray(tokens) && !(tokens instanceof Int32Array)) {
    throw new InferenceError("INVALID_OPTION", `${call}: tokens must be an array of token ids`);
  }
  const wrong = tokens.findIndex((token) => !isToken(token, vocabularySize));
  if (wrong < 0) return Int32Array.from(tokens);
  throw new InferenceError(
    "INVALID_OPTION",
    `${call}: tokens[${wrong}] must be a token id from 0 to ${vocabularySize - 1}, got ${String(tokens[wrong])}`,
  );
}
