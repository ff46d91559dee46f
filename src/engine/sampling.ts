// How a request's tokens are chosen: types, limits and defaults. The order is
// llama.cpp's: logit bias, penalties, DRY, top-n-sigma, top-k, typical, top-p,
// min-p, XTC, temperature, draw. Defaults are those of native/core/types.h.
import { z } from "zod";
import { integer, number, numberAbove } from "./judge.js";
import { type Seed, seedSchema } from "./seed.js";

/** How to choose a generation's tokens. */
export interface SamplingOptions {
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
   * DRY: makes a token that would go on with a passage seen before less likely, by
   * this times dryBase to the power of the passage's length less
   * dryAllowedLength. 0 to 100; 0 turns it off. Default 0.
   */
  readonly dryMultiplier?: number | undefined;
  /** See dryMultiplier, 1 to 100. Default 1.75. */
  readonly dryBase?: number | undefined;
  /** Passages shorter than this many tokens cost nothing. Default 2. */
  readonly dryAllowedLength?: number | undefined;
  /** Last tokens in which DRY looks for passages, prompt included; -1 for all, 0 for none. Default -1. */
  readonly dryWindow?: number | undefined;
  /**
   * Texts no passage reaches over: up to 64 of 1 to 40 UTF-8 bytes. Default a line
   * break, ":", "\"" and "*".
   */
  readonly drySequenceBreakers?: readonly string[] | undefined;
  /**
   * Divides positive logits of tokens in the prompt or the generated text, and multiplies
   * negative ones: above 0 to 10, 1 turns it off. Default 1.
   */
  readonly repeatPenalty?: number | undefined;
  /**
   * Subtracted from a token's logit once per occurrence in the generated text (the prompt
   * does not count), -2 to 2 as in OpenAI's API and vLLM. Default 0.
   */
  readonly frequencyPenalty?: number | undefined;
  /**
   * Subtracted once from the logit of a token in the generated text (the prompt does not
   * count), -2 to 2 as in OpenAI's API and vLLM. Default 0.
   */
  readonly presencePenalty?: number | undefined;
  /**
   * The three penalties see only this many last tokens, prompt and generated together;
   * -1 for all, 0 turns them off. Default -1.
   */
  readonly penaltyWindow?: number | undefined;
  /**
   * 0 to 2^64-1, above 2^53-1 as a bigint or decimal text. The same seed gives the same
   * text, alone or among others. Default: random, below 2^53; Generation.seed tells which.
   */
  readonly seed?: Seed | undefined;
  /** Added to the logits of these tokens: -1e6 to 1e6, or -Infinity to forbid one. Default none. */
  readonly logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number> | undefined;
}

/** The largest value the addon's integers hold. */
export const maximumInt32 = 2 ** 31 - 1;

const maximumBreakers = 64;
const maximumBreakerBytes = 40;
const breakerPhrase = `a non-empty string of at most ${maximumBreakerBytes} UTF-8 bytes`;

/** The fields of SamplingOptions in a request's schema. */
export function samplingShape(vocabularySize: number) {
  return {
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
    dryMultiplier: number(0, 100).default(0),
    dryBase: number(1, 100).default(1.75),
    dryAllowedLength: integer(0, maximumInt32).default(2),
    dryWindow: integer(-1, maximumInt32).default(-1),
    drySequenceBreakers: z
      .array(z.custom<string>(isBreaker, breakerPhrase), "an array of strings")
      .max(maximumBreakers, `at most ${maximumBreakers} strings`)
      .default(["\n", ":", '"', "*"]),
    repeatPenalty: numberAbove(0, 10).default(1),
    frequencyPenalty: number(-2, 2).default(0),
    presencePenalty: number(-2, 2).default(0),
    penaltyWindow: integer(-1, maximumInt32).default(-1),
    seed: seedSchema.optional(),
    logitBias: logitBiasSchema(vocabularySize - 1).optional(),
  };
}

function isBreaker(value: unknown): boolean {
  return typeof value === "string" && value !== "" && Buffer.byteLength(value) <= maximumBreakerBytes;
}

/** Whether the value is a token id of a vocabulary. */
export function isToken(value: unknown, vocabularySize: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < vocabularySize;
}

/** Sums of such and logits are far from what a float holds. */
const maximumBias = 1e6;

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
      if (typeof bias !== "number" || !(Math.abs(bias) <= maximumBias || bias === -Infinity)) {
        return refuse("a number from -1e6 to 1e6, or -Infinity", [token]);
      }
    }
  });
}

function biasEntries(bias: LogitBias): readonly (readonly [number, number])[] {
  if (bias instanceof Map) return [...bias.entries()];
  return Object.entries(bias).map(([key, value]) => {
    const token = Number(key);
    return [String(token) === key ? token : Number.NaN, value];
  });
}

/** Logit biases as the addon takes them: [token, bias, token, bias, …]. */
export function flatBias(bias: LogitBias | undefined): Float64Array {
  return Float64Array.from(bias === undefined ? [] : biasEntries(bias).flat());
}
