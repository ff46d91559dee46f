// The fields of a request by their treatment: options of the engine, fields without
// effect, and fields of which only one value is supported. The routes read the other
// fields that OpenAI and vLLM define. docs/openai.md gives the reason for each field
// that is not honoured; a test compares the two.
import type { GenerateOptions } from "../engine/generate-request.js";
import { asFlag } from "../flag.js";
import { asNumber, asNumbers, asNumbersByKey } from "./values.js";

/** An option of the engine, and how its value is read. */
export interface OptionField {
  readonly option: keyof GenerateOptions;
  readonly read: (value: unknown) => unknown;
}

const asGiven = (value: unknown) => value;
const asOpposite = (value: unknown) => {
  const flag = asFlag(value);
  return typeof flag === "boolean" ? !flag : flag;
};

function options(read: OptionField["read"], names: Readonly<Record<string, keyof GenerateOptions>>) {
  return Object.entries(names).map(([name, option]) => [name, { option, read }] as const);
}

/** Fields that are options of the engine, in OpenAI's, vLLM's and llama-server's spellings. */
export const optionFields: ReadonlyMap<string, OptionField> = new Map([
  ...options(asNumber, {
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
    repetition_penalty: "repeatPenalty",
    repeat_penalty: "repeatPenalty",
    repeat_last_n: "penaltyWindow",
    frequency_penalty: "frequencyPenalty",
    presence_penalty: "presencePenalty",
    seed: "seed",
    n: "n",
    min_tokens: "minTokens",
    // Of two names the first counts.
    max_completion_tokens: "maxTokens",
    max_tokens: "maxTokens",
    prompt_logprobs: "promptLogProbs",
    truncate_prompt_tokens: "truncatePrompt",
  }),
  ...options(asNumbers, { stop_token_ids: "stopTokens", allowed_token_ids: "allowedTokens" }),
  ...options(asNumbersByKey, { logit_bias: "logitBias" }),
  ...options(asFlag, { ignore_eos: "ignoreEos", include_stop_str_in_output: "includeStop" }),
  ...options(asOpposite, { skip_special_tokens: "showSpecial" }),
  ...options(asGiven, {
    stop: "stop",
    cache_salt: "cacheSalt",
    bad_words: "badWords",
    dry_sequence_breakers: "drySequenceBreakers",
  }),
]);

/** Fields whose value cannot change an answer here. */
export const fieldsWithoutEffect: ReadonlySet<string> = new Set([
  "user",
  "metadata",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "prediction",
  "session_id",
  "priority",
  "best_of",
  "length_penalty",
  "early_stopping",
  "spaces_between_special_tokens",
  "truncation_side",
  "stream_interval",
  "guided_decoding_backend",
  "return_token_offsets",
  "return_mm_kwargs",
  "routed_experts_prompt_start",
]);

/** Fields of which only these values, and null, are supported. */
export const fieldsOfOneValue: Readonly<Record<string, readonly unknown[]>> = {
  __proto__: null as never,
  use_beam_search: [false],
  suffix: [""],
  watermarking: [false],
  thinking_token_budget: [-1],
  verbosity: ["medium"],
  return_prompt_text: [false],
  media_io_kwargs: [{}],
  mm_processor_kwargs: [{}],
  vllm_xargs: [{}],
  kv_transfer_params: [{}],
  ec_transfer_params: [{}],
  prompt_embeds: [],
  logprob_token_ids: [],
  repetition_detection: [],
  chat_template: [],
  guided_whitespace_pattern: [],
  audio: [],
  functions: [],
  function_call: [],
  moderation: [],
  web_search_options: [],
};
