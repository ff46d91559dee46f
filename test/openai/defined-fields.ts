// The names of the fields that OpenAI and vLLM define for a request: OpenAI's out of
// the types of its own client, vLLM's as its ChatCompletionRequest and
// CompletionRequest declare them (0.32 and what came into its main branch since).
import { readFileSync } from "node:fs";

function declared(file: string, name: string): readonly string[] {
  const text = readFileSync(new URL(`../../node_modules/openai/resources/${file}`, import.meta.url), "utf8");
  const begin = text.indexOf(`export interface ${name} {`);
  const body = text.slice(begin, text.indexOf("\n}", begin));
  const names = [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, field]) => field ?? "");
  if (begin < 0 || names.length === 0) throw new Error(`${file} has no ${name}`);
  return names;
}

export const openaiFields = {
  chat: declared("chat/completions/completions.d.ts", "ChatCompletionCreateParamsBase"),
  completions: declared("completions.d.ts", "CompletionCreateParamsBase"),
  /** Of an assistant's message as an answer has it. */
  message: declared("chat/completions/completions.d.ts", "ChatCompletionMessage"),
};

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

export const vllmFields = {
  chat: `${shared} ${ofChat}`.split(" "),
  completions: `${shared} prompt suffix prompt_embeds`.split(" "),
};
