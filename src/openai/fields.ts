// The fields of a request that say how tokens are chosen, in OpenAI's, vLLM's and
// llama-server's spellings, as GenerateRequest's. What changes nothing is taken;
// what would change the meaning and is not there is refused by name. Ranges are
// judged by the engine.
import type { GenerateRequest } from "../engine/request.js";
import { ApiError, wrongField } from "./api-error.js";

/** A request's body. */
export type Body = Readonly<Record<string, unknown>>;

type Field = keyof GenerateRequest;

/** Names on the wire and ours. */
const renamed: ReadonlyMap<string, Field> = new Map(
  Object.entries<Field>({
    temperature: "temperature",
    top_p: "topP",
    top_k: "topK",
    min_p: "minP",
    typical_p: "typicalP",
    top_n_sigma: "topNSigma",
    xtc_probability: "xtcProbability",
    xtc_threshold: "xtcThreshold",
    dynatemp_range: "dynatempRange",
    dynatemp_exponent: "dynatempExponent",
    mirostat: "mirostat",
    mirostat_tau: "mirostatTau",
    mirostat_eta: "mirostatEta",
    dry_multiplier: "dryMultiplier",
    dry_base: "dryBase",
    dry_allowed_length: "dryAllowedLength",
    dry_penalty_last_n: "dryWindow",
    dry_sequence_breakers: "drySequenceBreakers",
    repetition_penalty: "repeatPenalty",
    repeat_penalty: "repeatPenalty",
    repeat_last_n: "penaltyWindow",
    frequency_penalty: "frequencyPenalty",
    presence_penalty: "presencePenalty",
    seed: "seed",
    logit_bias: "logitBias",
    n: "n",
    stop: "stop",
    stop_token_ids: "stopTokens",
    min_tokens: "minTokens",
    max_tokens: "maxTokens",
    max_completion_tokens: "maxTokens",
    ignore_eos: "ignoreEos",
    cache_salt: "cacheSalt",
  }),
);

/** Every name on the wire of one of the engine's options. */
export function wireNames(option: string): readonly string[] {
  return [...renamed].filter(([, field]) => field === option).map(([name]) => name);
}

/** Taken and without effect: they say who asks, or how to keep books. */
const harmless: ReadonlySet<string> = new Set([
  "user",
  "metadata",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "request_id",
  "priority",
  "spaces_between_special_tokens",
  "add_special_tokens",
  "documents",
]);

/** Fields of which only the value that changes nothing can be taken. */
const neutral: ReadonlyMap<string, readonly unknown[]> = new Map(
  Object.entries<readonly unknown[]>({
    use_beam_search: [false],
    length_penalty: [1],
    early_stopping: [false],
    skip_special_tokens: [true],
    include_stop_str_in_output: [false],
    return_tokens_as_token_ids: [false],
    prompt_logprobs: [0],
    suffix: [""],
    best_of: [1],
    echo: [false],
    continue_final_message: [false],
    add_generation_prompt: [true],
  }),
);

const seedBits = 64;

/** What of a body chooses tokens, and the fields that are left. */
export interface TakenFields {
  readonly options: Partial<GenerateRequest>;
  readonly rest: Body;
}

/** @throws ApiError for a field whose value cannot be taken */
export function takeFields(body: Body): TakenFields {
  const options: Record<string, unknown> = {};
  const rest: [string, unknown][] = [];
  for (const [name, value] of Object.entries(body)) {
    if (value === null || value === undefined || harmless.has(name)) continue;
    const field = renamed.get(name);
    if (field !== undefined) options[field] = adapted(field, value);
    else if (neutral.has(name)) mustBeNeutral(name, value, body);
    else rest.push([name, value]);
  }
  return { options: options as Partial<GenerateRequest>, rest: Object.fromEntries(rest) };
}

/** Refuses what is left of a body. @param known names that its route reads itself */
export function refuseUnknown(rest: Body, known: readonly string[]): void {
  const unknown = Object.keys(rest).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new ApiError(400, `${unknown} is not supported`, { param: unknown, code: "unsupported_parameter" });
}

function adapted(field: Field, value: unknown): unknown {
  if (field === "topK" && value === -1) return 0; // vLLM's "off"
  return field === "seed" ? seedOf(value) : value;
}

/**
 * A seed of 64 bits; a negative one counts from the end, as in vLLM. JSON rounds numbers
 * above 2^53-1, so all digits of a seed can also come as text.
 */
function seedOf(value: unknown): unknown {
  const digits = typeof value === "string" && /^[+-]?\d{1,20}$/.test(value);
  if (!digits && !(typeof value === "number" && Number.isInteger(value))) return value;
  const seed = BigInt(digits ? value.replace("+", "") : value);
  const fits = seed >= -(2n ** 63n) && seed <= 2n ** 64n;
  return fits ? BigInt.asUintN(seedBits, seed) : value;
}

function mustBeNeutral(name: string, value: unknown, body: Body): void {
  const allowed = [...(neutral.get(name) ?? []), ...(name === "best_of" ? [body.n] : [])];
  if (allowed.includes(value)) return;
  throw new ApiError(400, `${name} is not supported but for ${JSON.stringify(allowed[0])}`, {
    param: name,
    code: "unsupported_value",
  });
}

/** @throws ApiError where the value is no boolean */
export function booleanField(body: Body, name: string): boolean | undefined {
  const value = body[name];
  if (value === undefined || value === null || typeof value === "boolean") return value ?? undefined;
  throw wrongField(name, "true or false");
}

/** @throws ApiError where the value is no object */
export function objectField(body: Body, name: string): Body | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "object" && !Array.isArray(value)) return value as Body;
  throw wrongField(name, "an object");
}
