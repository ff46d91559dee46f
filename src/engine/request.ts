// One generation's request: its limits and defaults, and its judged form for the addon. Its
// type is in generate-request.ts; how its tokens are chosen is in sampling.ts.
import { z } from "zod";
import {
  type Conversation,
  messagesSchema,
  openingShape,
  opensAnswer,
  toolShape,
  variablesSchema,
} from "../chat/messages.js";
import { judgeTools } from "../chat/tools.js";
import { constraintShape, type JudgedSchema, judgeConstraint } from "../constraints/constraint.js";
import type { Keywords } from "../constraints/schema-parts.js";
import { invalidOption } from "../errors.js";
import type { NativeRequest } from "../native.js";
import { abortSignal, flag, integer, judge } from "./judge.js";
import { choiceSchema, type LoadedLora } from "./loras.js";
import { flatBias, isToken, maximumInt32, samplingShape } from "./sampling.js";
import { seedSchema } from "./seed.js";
import { showPrivate } from "./shown.js";

/** What the judge of requests must know about the model. */
export interface VocabularyLimits {
  readonly vocabularySize: number;
  /** Whether the model puts a begin-of-sequence token before a text. */
  readonly addBos: boolean;
  /** Adapters the engine has loaded. */
  readonly loras: readonly LoadedLora[];
  /** The device for whose sake no request may change them. */
  readonly fixedLorasOn?: string | undefined;
}

const maximumChoices = 128;
const maximumStops = 16;
const maximumLogProbs = 20;
const maximumStopBytes = 256;
const maximumStopTokens = 256;
const maximumBadWords = 1024;
const maximumSaltBytes = 256;

const stopPhrase = `a non-empty string of at most ${maximumStopBytes} UTF-8 bytes`;

const tokensPhrase = `an integer of at most ${maximumInt32}`;

const saltPhrase = `a string of at most ${maximumSaltBytes} UTF-8 bytes without NUL`;

function isStopString(value: unknown): boolean {
  return typeof value === "string" && value !== "" && Buffer.byteLength(value) <= maximumStopBytes;
}

/** UTF-8 has no form of half a surrogate pair, so that no generated text could have it. */
const wholePhrase = "well-formed text, it has half of a surrogate pair";
const isWhole = (value: unknown) => typeof value !== "string" || !/\p{Surrogate}/u.test(value);

function isSalt(value: unknown): boolean {
  if (typeof value !== "string" || value.includes("\0")) return false;
  return Buffer.byteLength(value) <= maximumSaltBytes;
}

const stopSchema = z.custom<string | readonly string[]>().superRefine((stop: unknown, context) => {
  const refuse = (message: string, path: number[] = []) =>
    context.addIssue({ code: "custom", message, path, continue: false });
  if (!isWhole(stop)) return refuse(wholePhrase);
  if (!Array.isArray(stop)) {
    if (!isStopString(stop)) refuse(`${stopPhrase}, or up to ${maximumStops} of them`);
    return;
  }
  if (stop.length > maximumStops) return refuse(`at most ${maximumStops} strings`);
  const wrong = Array.from(stop).findIndex((each) => !isStopString(each));
  if (wrong >= 0) refuse(typeof stop[wrong] === "string" ? stopPhrase : "a string", [wrong]);
  const half = stop.findIndex((each) => !isWhole(each));
  if (half >= 0) refuse(wholePhrase, [half]);
});

const badWordsPhrase = `a non-empty string of at most ${maximumStopBytes} UTF-8 bytes`;
const badWordsSchema = z
  .array(z.custom<string>(isStopString, badWordsPhrase).refine(isWhole, wholePhrase), "an array of strings")
  .max(maximumBadWords, `at most ${maximumBadWords} strings`)
  .default([]);

const saltSchema = z.custom<string>(isSalt, saltPhrase).default("");

/** The schema of a model's requests; made once per engine. */
export function requestSchema(limits: VocabularyLimits) {
  const last = limits.vocabularySize - 1;
  const shape = {
    prompt: promptSchema(limits).optional(),
    messages: messagesSchema.optional(),
    ...openingShape,
    chatVariables: variablesSchema.optional(),
    ...toolShape,
    splitReasoning: flag().optional(),
    n: integer(1, maximumChoices).default(1),
    maxTokens: z
      .int({
        error: ({ input }) =>
          typeof input === "number" && input > maximumInt32 ? tokensPhrase : "an integer of at least 1",
      })
      .min(1, "an integer of at least 1")
      .max(maximumInt32, tokensPhrase)
      .optional(),
    ...samplingShape(limits.vocabularySize),
    ...constraintShape,
    minTokens: integer(0, maximumInt32).default(0),
    stop: stopSchema.default([]),
    stopTokens: z
      .array(integer(0, last), "an array of token ids")
      .max(maximumStopTokens, `at most ${maximumStopTokens} token ids`)
      .default([]),
    logProbs: integer(0, maximumLogProbs).optional(),
    promptLogProbs: integer(0, maximumLogProbs).optional(),
    promptTokens: flag().default(false),
    includeStop: flag().default(false),
    showSpecial: flag().default(false),
    allowedTokens: z
      .array(integer(0, last), "an array of token ids")
      .min(1, "at least one token id")
      .max(limits.vocabularySize, `at most ${limits.vocabularySize} token ids`)
      .optional(),
    badWords: badWordsSchema,
    truncatePrompt: integer(1, maximumInt32).optional(),
    ignoreEos: flag().default(false),
    addSpecial: flag().default(true),
    parseSpecial: flag().default(false),
    cache: flag().default(true),
    cacheSalt: saltSchema,
    loras: choiceSchema(limits.loras, limits.fixedLorasOn),
    signal: abortSignal().optional(),
  };
  return z.strictObject(shape, 'an object such as { prompt: "…" } or { messages: […] }');
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

/** Of a request that does not tell its prompt. */
export const untoldPrompt = { promptLogProbs: noLogProbs, promptTokens: false } as const;

/** A request in judged form: what the addon takes, and what stays here. */
export interface JudgedRequest {
  /** Its prompt is empty where there is a chat to be rendered. */
  readonly native: NativeRequest;
  readonly n: number;
  readonly chat: Conversation | undefined;
  /** The option that its grammar is made of, where that is not `grammar`. */
  readonly boundBy: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** Of a `jsonSchema`: the answer's object is asked for, and judged. */
  readonly output: Pick<JudgedSchema, "judge"> | undefined;
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
  const { n, maxTokens, seed, stop, logitBias, logProbs, promptLogProbs, loras, ...rest } =
    withoutText(options);
  refuseTwoPrompts(call, judged);
  refuseTooFew(call, judged);
  const { grammar, schema: jsonSchema, field } = judgeConstraint(judged, call);
  const boundBy = field === "grammar" ? undefined : (field ?? (judged.tools?.length ? "tools" : undefined));
  const chat = judgeChat(call, judged, grammar !== "", jsonSchema as Keywords | undefined);
  const native: NativeRequest = {
    ...rest,
    prompt: typeof prompt === "string" ? prompt : Int32Array.from(prompt),
    ...unbound,
    grammar,
    parallelSamples: false,
    loras: loras ?? null,
    embeds: false,
    ranks: false,
    saves: false,
    maxTokens: maxTokens ?? 0,
    logProbs: logProbs ?? noLogProbs,
    promptLogProbs: promptLogProbs ?? noLogProbs,
    promptTokens: rest.promptTokens || promptLogProbs !== undefined,
    allowedTokens: rest.allowedTokens ?? [],
    truncatePrompt: rest.truncatePrompt ?? 0,
    seed: seed === undefined ? randomSeed() : BigInt(seed),
    stop: typeof stop === "string" ? [stop] : [...stop],
    logitBias: flatBias(logitBias),
  };
  return { native: Object.freeze(native), n, chat, boundBy, signal, output: judged.jsonSchema };
}

/** What the template of a conversation may add. */
const unbound = {
  grammarPrefix: "",
  triggers: [],
  textBefore: "",
  thinkingStart: "",
  thinkingEnds: [],
  thinking: false,
  visible: [],
} as const;

type Judged = z.infer<RequestSchema>;

/** The fields that say how tokens are chosen. */
function withoutText(judged: Omit<Judged, "signal" | "prompt">) {
  const { messages, chatVariables, tools, toolChoice, parallelToolCalls, toolForm, ...text } = judged;
  const { splitReasoning, ...rest } = text;
  const { grammar, jsonSchema, regex, choice, addGenerationPrompt, continueFinalMessage, ...sampling } = rest;
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
    if (tools?.length) throw invalidOption(call, ["tools"], "must come with messages");
    if (judged.toolForm !== undefined) throw invalidOption(call, ["toolForm"], "must come with messages");
    if (splitReasoning !== undefined)
      throw invalidOption(call, ["splitReasoning"], "must come with messages");
    if (judged.addGenerationPrompt !== undefined)
      throw invalidOption(call, ["addGenerationPrompt"], "must come with messages");
    if (judged.continueFinalMessage)
      throw invalidOption(call, ["continueFinalMessage"], "must come with messages");
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
    addGenerationPrompt: opensAnswer(call, messages, judged),
    continuesFinal: judged.continueFinalMessage,
    tools: judgedTools,
    toolForm: judged.toolForm,
    splitReasoning: (splitReasoning ?? true) && (!bound || schema !== undefined),
    schema,
  };
}

export const forkSchema = z.strictObject({
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
    throw invalidOption(call, ["tokens"], `must be an array of token ids, got ${showPrivate(tokens)}`);
  }
  const wrong = tokens.findIndex((token) => !isToken(token, vocabularySize));
  if (wrong < 0) return Int32Array.from(tokens);
  const problem = `must be a token id from 0 to ${vocabularySize - 1}, got ${showPrivate(tokens[wrong])}`;
  throw invalidOption(call, ["tokens", wrong], problem);
}
