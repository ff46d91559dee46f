// Variables of worker-vllm's table that this worker does not act upon: those that
// cannot mean anything here, said once, and those that would change what an answer
// is, which end the boot.
import { InferenceError } from "../errors.js";
import { type Environment, firstOf } from "./environment.js";

/** No effect here; why, by group. */
export const withoutEffect: readonly (readonly [reason: string, names: readonly string[]])[] = [
  [
    "a GGUF file carries its own tokenizer",
    [
      "TOKENIZER",
      "TOKENIZER_NAME",
      "TOKENIZER_REVISION",
      "TOKENIZER_MODE",
      "SKIP_TOKENIZER_INIT",
      "TOKENIZER_POOL_SIZE",
      "TOKENIZER_POOL_TYPE",
      "TOKENIZER_POOL_EXTRA_CONFIG",
    ],
  ],
  [
    "a GGUF file has its own number types",
    ["DTYPE", "QUANTIZATION", "QUANTIZATION_PARAM_PATH", "LOAD_FORMAT"],
  ],
  ["no code comes with a model", ["TRUST_REMOTE_CODE", "MODEL_LOADER_EXTRA_CONFIG", "HF_OVERRIDES"]],
  [
    "the engine plans its own passes",
    [
      "ENABLE_CHUNKED_PREFILL",
      "BLOCK_SIZE",
      "NUM_GPU_BLOCKS_OVERRIDE",
      "NUM_LOOKAHEAD_SLOTS",
      "SCHEDULER_DELAY_FACTOR",
      "PREEMPTION_MODE",
      "SWAP_SPACE",
      "DISABLE_SLIDING_WINDOW",
      "USE_V2_BLOCK_MANAGER",
      "MAX_SEQ_LEN_TO_CAPTURE",
      "ENFORCE_EAGER",
      "PYTORCH_ALLOC_CONF",
      "PYTORCH_CUDA_ALLOC_CONF",
    ],
  ],
  ["requests without a seed of their own are drawn freely", ["SEED"]],
  ["requests may ask for 20 at most", ["MAX_LOGPROBS"]],
  ["a job's time is the platform's to limit", ["REQUEST_TIMEOUT"]],
  [
    "one process computes",
    [
      "DISTRIBUTED_EXECUTOR_BACKEND",
      "WORKER_USE_RAY",
      "MAX_PARALLEL_LOADING_WORKERS",
      "DISABLE_CUSTOM_ALL_REDUCE",
      "RAY_WORKERS_USE_NSIGHT",
      "ENABLE_EXPERT_PARALLEL",
    ],
  ],
  [
    "formats are found in the model's chat template",
    [
      "ENABLE_AUTO_TOOL_CHOICE",
      "TOOL_CALL_PARSER",
      "REASONING_PARSER",
      "GUIDED_DECODING_BACKEND",
      "STRUCTURED_OUTPUTS_CONFIG",
      "TRUST_REQUEST_CHAT_TEMPLATE",
    ],
  ],
  [
    "usage always tells cached tokens, and nothing of prompts is logged",
    [
      "DISABLE_LOG_STATS",
      "DISABLE_LOG_REQUESTS",
      "ENABLE_LOG_REQUESTS",
      "MAX_LOG_LEN",
      "ENABLE_LOG_OUTPUTS",
      "LOG_ERROR_STACK",
      "ENABLE_PROMPT_TOKENS_DETAILS",
    ],
  ],
  [
    "adapters are off",
    [
      "MAX_LORAS",
      "MAX_LORA_RANK",
      "LORA_DTYPE",
      "LORA_EXTRA_VOCAB_SIZE",
      "MAX_CPU_LORAS",
      "FULLY_SHARDED_LORAS",
      "LONG_LORA_SCALING_FACTORS",
    ],
  ],
];

/** Would change answers; what to do instead. */
export const refused: readonly (readonly [names: readonly string[], advice: string])[] = [
  [["ENABLE_LORA", "LORA_MODULES"], "adapters are not selectable per request yet; unset it"],
  [
    ["SPECULATIVE_CONFIG", "SPECULATIVE_MODEL", "SPECULATIVE_METHOD", "NUM_SPECULATIVE_TOKENS"],
    "speculation cannot be configured for this worker yet; unset it",
  ],
  [["ROPE_SCALING", "ROPE_THETA"], "the model file's own values are used; unset it"],
  [
    ["NGRAM_PROMPT_LOOKUP_MAX", "NGRAM_PROMPT_LOOKUP_MIN", "SPEC_DECODING_ACCEPTANCE_METHOD"],
    "speculation cannot be configured for this worker yet; unset it",
  ],
  [["LLAMA_SERVER_CMD_ARGS", "LLAMA_CACHED_GGUF_PATH"], "no llama-server is started; use MODEL_NAME"],
  [
    ["EXCLUDE_TOOLS_WHEN_TOOL_CHOICE_NONE", "RETURN_TOKENS_AS_TOKEN_IDS", "ENABLE_FORCE_INCLUDE_USAGE"],
    "requests say so themselves; unset it",
  ],
  [["CPU_OFFLOAD_GB"], "N_GPU_LAYERS=auto leaves on the CPU what does not fit; unset it"],
];

/** Values of variables that are otherwise without effect, for files this worker cannot read. */
export const refusedValues: readonly (readonly [name: string, values: readonly string[]])[] = [
  ["QUANTIZATION", ["squeezellm", "gptq", "bitsandbytes"]],
  ["LOAD_FORMAT", ["tensorizer", "bitsandbytes", "npcache", "pt"]],
];

/** Sentences about variables that are set and do nothing. */
export function ignoredVariables(environment: Environment): readonly string[] {
  const vllms = Object.keys(environment).filter((name) => name.startsWith("VLLM_"));
  const groups = [...withoutEffect, ["no vLLM is started", vllms] as const];
  return groups.flatMap(([reason, names]) => {
    const set = names.filter((name) => firstOf(environment, [name]) !== undefined);
    return set.length === 0
      ? []
      : [`${set.join(", ")} ${set.length === 1 ? "has" : "have"} no effect: ${reason}.`];
  });
}

const off: ReadonlySet<string> = new Set(["false", "0", "no", "off"]);

/** @throws InferenceError INVALID_OPTION naming a variable that cannot be honoured */
export function refuseVariables(environment: Environment): void {
  for (const [names, advice] of refused) {
    const found = firstOf(environment, names);
    if (found === undefined || off.has(found[1].toLowerCase())) continue;
    throw new InferenceError("INVALID_OPTION", `${found[0]} is not supported: ${advice}`);
  }
  for (const [name, values] of refusedValues) {
    const [, value] = firstOf(environment, [name]) ?? [];
    if (value === undefined || !values.includes(value.toLowerCase())) continue;
    throw new InferenceError(
      "INVALID_OPTION",
      `${name}=${value} is not supported: this format of weights is not read; name another model and unset it`,
    );
  }
}
