// What other interfaces call our options: OpenAI, vLLM, the AI SDK, node-llama-cpp,
// llama-server and its files' tools, ollama, Hugging Face. For hints in errors only.
// Spelled without case, "_" and "-"; names that differ in those alone need no entry.

/** Our names for theirs, in order: the first that an options object has is meant. */
export const otherNames: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    // Length and ends.
    maxTokens: "max_new_tokens n_predict num_predict max_completion_tokens max_output_tokens max_length",
    minTokens: "min_new_tokens min_length n_min",
    stop: "stop_sequences stop_strings stop_words custom_stop_triggers antiprompt reverse_prompt",
    stopTokens: "stop_token_ids eos_token_id eos_token_ids",
    n: "num_return_sequences best_of candidate_count n_choices n_cmpl",
    signal: "abort_signal stop_on_abort_signal cancellation_token load_signal create_signal",
    // Sampling.
    temperature: "temp",
    typicalP: "typ_p typical",
    repeatPenalty: "repetition_penalty",
    penaltyWindow: "repeat_last_n last_tokens penalty_last_n",
    xtcProbability: "xtc xtc_p",
    dynatempRange: "dynamic_temperature_range dynatemp",
    dynatempExponent: "dynatemp_exp",
    dryMultiplier: "dry dry_repeat_penalty",
    dryWindow: "dry_penalty_last_n dry_range",
    drySequenceBreakers: "dry_breakers",
    mirostatTau: "mirostat_ent",
    mirostatEta: "mirostat_lr",
    seed: "random_seed rng_seed",
    logitBias: "token_bias",
    promptLogProbs: "prompt_logprobs",
    promptTokens: "return_prompt_tokens return_prompt_token_ids",
    includeStop: "include_stop_str_in_output no_stop_trim",
    allowedTokens: "allowed_token_ids",
    badWords: "bad_words bad_words_ids",
    truncatePrompt: "truncate_prompt_tokens truncate",
    logProbs: "top_logprobs n_probs return_logprobs top_n_tokens",
    ignoreEos: "ban_eos_token",
    // Prompts and conversations.
    prompt: "inputs input text prompt_text prompt_token_ids prompt_tokens",
    messages: "chat_history conversation history",
    chatVariables: "chat_template_kwargs template_kwargs enable_thinking reasoning_effort think thinking",
    splitReasoning: "separate_reasoning include_reasoning reasoning_format",
    tools: "functions",
    toolChoice: "function_call",
    addSpecial: "add_special_tokens add_bos add_bos_token",
    parseSpecial: "special_tokens parse_special_tokens",
    cache: "cache_prompt use_cache",
    // Constraints.
    jsonSchema: "response_format schema guided_json response_schema format structured_outputs output",
    regex: "guided_regex pattern structural_regex",
    choice: "guided_choice choices enum",
    grammar: "guided_grammar ebnf gbnf",
    loras: "lora lora_request lora_adapters adapters lora_path",
    // Models.
    gpuLayers: "n_gpu_layers ngl num_gpu num_gpu_layers",
    memoryMap: "use_mmap mmap no_mmap",
    onProgress: "on_load_progress progress_callback",
    revision: "branch commit",
    quantization: "quant quant_type",
    file: "filename file_name",
    cacheFolder: "cache_dir local_dir",
    // Engines.
    slots:
      "n_parallel parallel num_parallel sequences max_num_seqs n_seq_max max_sequences n_slots concurrency",
    contextLength: "n_ctx num_ctx context_size ctx_size max_model_len max_seq_len context_window",
    prefillChunk: "n_batch batch_size num_batch ubatch_size n_ubatch max_num_batched_tokens",
    threads: "n_threads num_thread num_threads threads_batch n_threads_batch",
    kvType: "cache_type cache_type_k cache_type_v type_k type_v kv_cache_dtype kv_cache_type",
    kvLayout: "kv_unified",
    flashAttention: "flash_attn",
    promptCache: "enable_prefix_caching prefix_caching",
    hostCacheBytes: "cache_ram swap_space",
    queueLimit: "max_queue max_queue_size queue_size",
    deterministic: "batch_invariant",
    speculation: "speculative speculative_config speculative_model token_predictor",
    draftTokens: "num_speculative_tokens draft_max draft_n n_draft",
    // Workers.
    concurrencyModifier: "concurrency max_concurrency",
    // Embeddings and reranking.
    topN: "top_k",
    documents: "texts passages docs",
    returnDocuments: "return_text return_texts",
    // Inside messages, tools, calls and adapters.
    content: "parts",
    reasoning: "reasoning_content",
    parameters: "input_schema args_schema",
    arguments: "args",
    scale: "weight strength",
    path: "file file_path model_path",
  }).reduce((names, [ours, theirs]) => {
    for (const name of theirs.split(" ").map(plainName)) names.set(name, [...(names.get(name) ?? []), ours]);
    return names;
  }, severalMeanings()),
);

/** Names that mean different options in different objects. */
function severalMeanings(): Map<string, readonly string[]> {
  return new Map(
    Object.entries({
      // Of speculation, and of engines.
      draft_model: ["draftModel", "speculation"],
      model: ["draftModel"],
      // Of models, and of reranking.
      template: ["chatTemplate"],
      instruction: ["template"],
      instruct: ["template"],
      input: ["arguments"],
      text: ["content"],
      thinking: ["reasoning"],
      max_parallel_function_calls: ["parallelToolCalls"],
      tool_name: ["name"],
      tool_call_id: ["id"],
    }).map(([name, ours]) => [plainName(name), ours]),
  );
}

/** A name without case and separators. */
export function plainName(name: string): string {
  return name.replace(/[_\-\s]/g, "").toLowerCase();
}
