// Hints for unknown options: the names that people know from other interfaces, and slips.
import { describe, expect, it } from "vitest";
import { judgeEmbed } from "../../src/engine/embed.js";
import { judgeEngineOptions, judgeModelOptions } from "../../src/engine/options.js";
import { judgeFork, judgeLoadState, judgeRequest, requestSchema } from "../../src/engine/request.js";
import { judgeRerank } from "../../src/engine/rerank.js";
import { meantOption } from "../../src/engine/suggestion.js";
import { embeddedModelPath, planModel, pullModel } from "../../src/index.js";
import { judgeStartOptions } from "../../src/serverless/contract.js";
import { caught } from "../helpers/caught.js";

const schema = requestSchema({ vocabularySize: 100, addBos: true, loras: [] });
const adapted = requestSchema({
  vocabularySize: 100,
  addBos: true,
  loras: [{ name: "a", path: "a.gguf", scale: 1 }],
});
const generateOptions = Object.keys(schema.shape);
const limits = { contextLength: 512, cacheKind: "full", isModel: () => true } as const;

const judges = {
  generate: (options: object) => judgeRequest(schema, { prompt: "a", ...options }, () => 7n),
  generateAdapted: (options: object) => judgeRequest(adapted, { prompt: "a", ...options }, () => 7n),
  chat: (options: object) =>
    judgeRequest(schema, { messages: [{ role: "user", content: "a" }], ...options }, () => 7n),
  fork: (options: object) => judgeFork(options, () => 7n),
  loadState: (options: object) => judgeLoadState(options, []),
  loadModel: (options: object) => judgeModelOptions("a.gguf", options),
  createEngine: (options: object) => judgeEngineOptions("createEngine()", options, limits),
  embed: (options: object) => judgeEmbed("a", options),
  rerank: (options: object) => judgeRerank({ query: "a", documents: ["b"], ...options }),
  pullModel: (options: object) => pullModel("hf:acme/Tale-GGUF", options),
  planModel: (options: object) => planModel(embeddedModelPath(), options),
  start: (options: object) => judgeStartOptions({ handler: () => 1, ...options }),
};

/** Names of other interfaces as their documents spell them, and ours. */
const generateNames: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  OpenAI: {
    max_tokens: "maxTokens",
    max_completion_tokens: "maxTokens",
    max_output_tokens: "maxTokens",
    top_p: "topP",
    frequency_penalty: "frequencyPenalty",
    presence_penalty: "presencePenalty",
    logit_bias: "logitBias",
    logprobs: "logProbs",
    top_logprobs: "logProbs",
    response_format: "jsonSchema",
    tool_choice: "toolChoice",
    parallel_tool_calls: "parallelToolCalls",
    function_call: "toolChoice",
    functions: "tools",
    input: "prompt",
    best_of: "n",
    reasoning_effort: "chatVariables",
  },
  vLLM: {
    top_k: "topK",
    min_p: "minP",
    repetition_penalty: "repeatPenalty",
    stop_token_ids: "stopTokens",
    ignore_eos: "ignoreEos",
    min_tokens: "minTokens",
    guided_json: "jsonSchema",
    guided_regex: "regex",
    guided_choice: "choice",
    guided_grammar: "grammar",
    structured_outputs: "jsonSchema",
    add_special_tokens: "addSpecial",
    chat_template_kwargs: "chatVariables",
    cache_salt: "cacheSalt",
    lora_request: "loras",
    prompt_token_ids: "prompt",
  },
  "AI SDK": {
    maxOutputTokens: "maxTokens",
    stopSequences: "stop",
    abortSignal: "signal",
    schema: "jsonSchema",
    output: "jsonSchema",
  },
  "node-llama-cpp": {
    customStopTriggers: "stop",
    repeatPenalty: "repeatPenalty",
    lastTokens: "penaltyWindow",
    xtc: "xtcProbability",
    dryRepeatPenalty: "dryMultiplier",
    tokenBias: "logitBias",
    maxParallelFunctionCalls: "parallelToolCalls",
    stopOnAbortSignal: "signal",
  },
  "llama-server": {
    n_predict: "maxTokens",
    dynatemp_range: "dynatempRange",
    dynatemp_exponent: "dynatempExponent",
    typical_p: "typicalP",
    repeat_penalty: "repeatPenalty",
    repeat_last_n: "penaltyWindow",
    dry_multiplier: "dryMultiplier",
    dry_base: "dryBase",
    dry_allowed_length: "dryAllowedLength",
    dry_penalty_last_n: "dryWindow",
    dry_sequence_breakers: "drySequenceBreakers",
    xtc_probability: "xtcProbability",
    xtc_threshold: "xtcThreshold",
    top_n_sigma: "topNSigma",
    mirostat_tau: "mirostatTau",
    mirostat_eta: "mirostatEta",
    json_schema: "jsonSchema",
    n_probs: "logProbs",
    cache_prompt: "cache",
    prompt_logprobs: "promptLogProbs",
    truncate_prompt_tokens: "truncatePrompt",
    include_stop_str_in_output: "includeStop",
    bad_words: "badWords",
    allowed_token_ids: "allowedTokens",
    lora: "loras",
  },
  "ollama and Hugging Face": {
    num_predict: "maxTokens",
    max_new_tokens: "maxTokens",
    min_new_tokens: "minTokens",
    num_return_sequences: "n",
    inputs: "prompt",
    format: "jsonSchema",
    think: "chatVariables",
    stop_strings: "stop",
  },
  slips: {
    maxToken: "maxTokens",
    maxtokens: "maxTokens",
    maxTokesn: "maxTokens",
    temprature: "temperature",
    temperatur: "temperature",
    stops: "stop",
    promt: "prompt",
    mesages: "messages",
    message: "messages",
    jsonschema: "jsonSchema",
    jsonShema: "jsonSchema",
    presencePenality: "presencePenalty",
    toolsChoice: "toolChoice",
    splitReasonning: "splitReasoning",
  },
};

/** Of the same interfaces, names of what does not exist here. */
const withoutCounterpart = [
  ...["stream", "stream_options", "user", "metadata", "store", "service_tier", "modalities", "audio"],
  ...["prediction", "verbosity", "web_search_options", "background", "truncation", "include", "model"],
  ...["echo", "suffix", "max_tool_calls", "priority"],
  ...["use_beam_search", "length_penalty", "early_stopping", "skip_special_tokens"],
  ...["spaces_between_special_tokens", "extra_body", "logits_processors"],
  ...["maxRetries", "headers", "telemetry", "experimental_transform", "onFinish", "onChunk", "onError"],
  ...["stopWhen", "prepareStep", "activeTools", "providerOptions", "onTextChunk", "onToken"],
  ...["trimWhitespaceSuffix", "evaluationPriority", "responsePrefix", "budgets", "contextShift", "xtx"],
  ...[
    "top_a",
    "tfs_z",
    "min_keep",
    "n_keep",
    "n_discard",
    "n_indent",
    "id_slot",
    "samplers",
    "t_max_predict_ms",
  ],
  ...[
    "return_tokens",
    "timings_per_token",
    "post_sampling_probs",
    "image_data",
    "keep_alive",
    "raw",
    "num_beams",
  ],
  ...["do_sample", "penalty_alpha", "smoothing_factor", "foo", "x", "toString", "__proto", "constructor"],
];

describe("an unknown option of generate()", () => {
  const rows = Object.entries(generateNames).flatMap(([whose, names]) =>
    Object.entries(names).map(([name, meant]) => [whose, name, meant] as const),
  );

  it.each(rows.filter(([, name, meant]) => name !== meant))("%s: %s is %s", async (_whose, name, meant) => {
    const error = await caught(() => judges.generate({ [name]: 1 }));
    expect(error.message).toBe(`generate(): unknown option "${name}"; did you mean ${meant}?`);
    expect(error.code).toBe("INVALID_OPTION");
  });

  it.each(withoutCounterpart)("%s is not taken for another option", async (name) => {
    expect(meantOption(name, generateOptions)).toBeUndefined();
    const error = await caught(() => judges.generate({ [name]: 1 }));
    expect(error.message).toMatch(
      /(: (generate\(\) always|an engine has one model|images are).*|; the options are those of docs\/options\.md)$/,
    );
  });

  it("costs nothing where the name is a megabyte", () => {
    expect(meantOption("maxTokens".repeat(120_000), generateOptions)).toBeUndefined();
  });

  it("hints only at options that are there", () => {
    for (const names of Object.values(generateNames)) {
      for (const meant of Object.values(names)) expect(generateOptions).toContain(meant);
    }
  });
});

describe("an unknown option of the other calls", () => {
  it.each([
    ["fork", "choice_index", "choiceIndex"],
    ["fork", "abortSignal", "signal"],
    ["loadState", "cache_salt", "cacheSalt"],
    ["loadState", "lora", "loras"],
    ["loadModel", "n_gpu_layers", "gpuLayers"],
    ["loadModel", "num_gpu", "gpuLayers"],
    ["loadModel", "useMmap", "memoryMap"],
    ["loadModel", "onLoadProgress", "onProgress"],
    ["loadModel", "loadSignal", "signal"],
    ["loadModel", "chat_template", "chatTemplate"],
    ["createEngine", "n_ctx", "contextLength"],
    ["createEngine", "contextSize", "contextLength"],
    ["createEngine", "max_model_len", "contextLength"],
    ["createEngine", "n_parallel", "slots"],
    ["createEngine", "max_num_seqs", "slots"],
    ["createEngine", "sequences", "slots"],
    ["createEngine", "batchSize", "prefillChunk"],
    ["createEngine", "n_threads", "threads"],
    ["createEngine", "flash_attn", "flashAttention"],
    ["createEngine", "cache_type_k", "kvType"],
    ["createEngine", "kv_cache_dtype", "kvType"],
    ["createEngine", "kv_unified", "kvLayout"],
    ["createEngine", "enable_prefix_caching", "promptCache"],
    ["createEngine", "cache_ram", "hostCacheBytes"],
    ["createEngine", "draftModel", "speculation"],
    ["createEngine", "lora", "loras"],
    ["embed", "normalized", "normalize"],
    ["embed", "abortSignal", "signal"],
    ["rerank", "top_n", "topN"],
    ["rerank", "top_k", "topN"],
    ["rerank", "return_documents", "returnDocuments"],
    ["pullModel", "quantisation", "quantization"],
    ["pullModel", "quant", "quantization"],
    ["pullModel", "cache_dir", "cacheFolder"],
    ["pullModel", "filename", "file"],
    ["planModel", "n_ctx", "contextLength"],
    ["planModel", "measureCPU", "measureCpu"],
    ["start", "concurrencyModifer", "concurrencyModifier"],
    ["start", "handlers", "handler"],
  ] as const)("%s(): %s is %s", async (call, name, meant) => {
    const error = await caught(() => judges[call]({ [name]: 1 }));
    expect(error.message).toMatch(new RegExp(`unknown option "${name}"; did you mean ${meant}\\?$`));
  });
});

describe("an unknown field further inside", () => {
  const call = (fields: object) => ({
    messages: [{ role: "assistant", toolCalls: [{ name: "f", arguments: "", ...fields }] }],
  });

  it.each([
    [
      "chat",
      { messages: [{ role: "a", content: "b", tool_calls: [] }] },
      "messages[0]",
      "tool_calls",
      "toolCalls",
    ],
    [
      "chat",
      { messages: [{ role: "a", content: "b", reasoning_content: "c" }] },
      "messages[0]",
      "reasoning_content",
      "reasoning",
    ],
    ["chat", { messages: [{ role: "a", text: "b" }] }, "messages[0]", "text", "content"],
    ["chat", call({ args: {} }), "messages[0].toolCalls[0]", "args", "arguments"],
    ["chat", call({ toolCallId: "1" }), "messages[0].toolCalls[0]", "toolCallId", "id"],
    ["chat", { tools: [{ name: "f", inputSchema: {} }] }, "tools[0]", "inputSchema", "parameters"],
    ["chat", { tools: [{ name: "f", descripton: "" }] }, "tools[0]", "descripton", "description"],
    ["generateAdapted", { loras: [{ name: "a", weight: 1 }] }, "loras[0]", "weight", "scale"],
    ["createEngine", { loras: [{ path: "a", weight: 1 }] }, "loras[0]", "weight", "scale"],
    [
      "createEngine",
      { speculation: { draftModel: 1, draft_tokens: 2 } },
      "speculation",
      "draft_tokens",
      "draftTokens",
    ],
    [
      "createEngine",
      { speculation: { draftModel: 1, num_speculative_tokens: 2 } },
      "speculation",
      "num_speculative_tokens",
      "draftTokens",
    ],
  ] as const)("%s(): of %j", async (judge, options, place, name, meant) => {
    const error = await caught(() => judges[judge](options));
    expect(error.message).toContain(`${place} has an unknown field "${name}"; did you mean ${meant}?`);
  });

  it("lists the fields where none is near", async () => {
    const error = await caught(() => judges.chat({ tools: [{ name: "f", strict: true }] }));
    expect(error.message).toBe(
      'generate(): tools[0] has an unknown field "strict"; its fields are name, description, parameters',
    );
  });
});
