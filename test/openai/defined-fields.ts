// The names of the fields that OpenAI and vLLM define for a request: OpenAI's out of
// the types of its own client, vLLM's as its ChatCompletionRequest,
// CompletionRequest and ResponsesRequest declare them (0.32 and what came into its main branch since).
import { readFileSync } from "node:fs";

function declared(file: string, name: string, client = "openai"): readonly string[] {
  const address = new URL(`../../node_modules/${client}/resources/${file}`, import.meta.url);
  const text = readFileSync(address, "utf8");
  const begin = text.indexOf(`export interface ${name} {`);
  const body = text.slice(begin, text.indexOf("\n}", begin));
  const names = [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, field]) => field ?? "");
  if (begin < 0 || names.length === 0) throw new Error(`${file} has no ${name}`);
  return names;
}

export const openaiFields = {
  chat: declared("chat/completions/completions.d.ts", "ChatCompletionCreateParamsBase"),
  completions: declared("completions.d.ts", "CompletionCreateParamsBase"),
  responses: declared("responses/responses.d.ts", "ResponseCreateParamsBase"),
  /** Of an assistant's message as an answer has it. */
  message: declared("chat/completions/completions.d.ts", "ChatCompletionMessage"),
};

/** Of a request to Anthropic's /v1/messages, what its documentation calls deprecated included. */
export const anthropicFieldNames: readonly string[] = [
  ...declared("messages/messages.d.ts", "MessageCreateParamsBase", "@anthropic-ai/sdk"),
  ...declared("messages/messages.d.ts", "MessageCountTokensParams", "@anthropic-ai/sdk"),
  ..."temperature top_k top_p".split(" "),
];

const shared =
  "model frequency_penalty logit_bias logprobs max_tokens n presence_penalty response_format seed stop stream " +
  "stream_options temperature top_p thinking_token_budget user use_beam_search top_k min_p repetition_penalty " +
  "watermarking length_penalty stop_token_ids include_stop_str_in_output ignore_eos min_tokens " +
  "skip_special_tokens spaces_between_special_tokens truncate_prompt_tokens truncation_side prompt_logprobs " +
  "logprob_token_ids allowed_token_ids bad_words echo add_special_tokens structured_outputs priority request_id " +
  "session_id return_tokens_as_token_ids return_token_ids routed_experts_prompt_start return_token_offsets " +
  "return_mm_kwargs cache_salt kv_transfer_params ec_transfer_params vllm_xargs repetition_detection " +
  "stream_interval";

const ofChat =
  "messages top_logprobs max_completion_tokens tools tool_choice reasoning_effort include_reasoning " +
  "parallel_tool_calls add_generation_prompt continue_final_message documents chat_template " +
  "chat_template_kwargs media_io_kwargs mm_processor_kwargs return_prompt_text";

const ofResponses =
  "background include input instructions max_output_tokens max_tool_calls metadata model logit_bias " +
  "parallel_tool_calls previous_response_id prompt reasoning service_tier store stream temperature text " +
  "tool_choice tools top_logprobs top_p top_k truncation user skip_special_tokens include_stop_str_in_output " +
  "prompt_cache_key request_id mm_processor_kwargs priority cache_salt enable_response_messages " +
  "previous_input_messages previous_response structured_outputs repetition_penalty seed stop ignore_eos " +
  "vllm_xargs";

export const vllmFields = {
  responses: ofResponses.split(" "),
  chat: `${shared} ${ofChat}`.split(" "),
  completions: `${shared} prompt suffix prompt_embeds`.split(" "),
};

/** What no field or few expect. */
export const oddValues: readonly unknown[] = [true, -1.5, "x", {}, [null], [{ type: "x" }]];
