#include "napi/prompt_convert.h"

#include <string>
#include <vector>

#include "napi/fields.h"

namespace infernode {

namespace {

SamplingParams sampling_from(const Napi::Object& request) {
  SamplingParams sampling;
  sampling.temperature = float_field(request, "temperature");
  sampling.top_k = int_field(request, "topK");
  sampling.top_p = float_field(request, "topP");
  sampling.min_p = float_field(request, "minP");
  sampling.repeat_penalty = float_field(request, "repeatPenalty");
  sampling.frequency_penalty = float_field(request, "frequencyPenalty");
  sampling.presence_penalty = float_field(request, "presencePenalty");
  sampling.penalty_window = int_field(request, "penaltyWindow");
  sampling.typical_p = float_field(request, "typicalP");
  sampling.top_n_sigma = float_field(request, "topNSigma");
  sampling.xtc_probability = float_field(request, "xtcProbability");
  sampling.xtc_threshold = float_field(request, "xtcThreshold");
  sampling.dynatemp_range = float_field(request, "dynatempRange");
  sampling.dynatemp_exponent = float_field(request, "dynatempExponent");
  const int mirostat = int_field(request, "mirostat");
  if (mirostat != 0 && mirostat != 2) refuse_value(request, "mirostat");
  sampling.mirostat = mirostat == 2;
  sampling.mirostat_tau = float_field(request, "mirostatTau");
  sampling.mirostat_eta = float_field(request, "mirostatEta");
  sampling.dry_multiplier = float_field(request, "dryMultiplier");
  sampling.dry_base = float_field(request, "dryBase");
  sampling.dry_allowed_length = int_field(request, "dryAllowedLength");
  sampling.dry_window = int_field(request, "dryWindow");
  bool lossless = true;
  sampling.seed = request.Get("seed").As<Napi::BigInt>().Uint64Value(&lossless);
  const auto bias = request.Get("logitBias").As<Napi::Float64Array>();
  for (std::size_t i = 0; i + 1 < bias.ElementLength(); i += 2) {
    sampling.logit_bias.push_back({static_cast<TokenId>(bias[i]), static_cast<float>(bias[i + 1])});
  }
  return sampling;
}

PromptForm form_from(const Napi::Object& object) {
  PromptForm form;
  form.text = object.Get("template").As<Napi::String>().Utf8Value();
  const auto values = object.Get("values").As<Napi::Object>();
  for (const std::string& mark : strings_from(values.GetPropertyNames()))
    form.values.emplace_back(mark, values.Get(mark).As<Napi::String>().Utf8Value());
  return form;
}

std::vector<TokenId> tokens_from(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<TokenId> tokens;
  for (std::uint32_t i = 0; i < array.Length(); ++i)
    tokens.push_back(array.Get(i).ToNumber().Int32Value());
  return tokens;
}

std::vector<TriggerWord> trigger_words_from(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<TriggerWord> words;
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const auto word = array.Get(i).As<Napi::Object>();
    words.push_back({word.Get("word").As<Napi::String>().Utf8Value(),
                     word.Get("begins").As<Napi::String>().Utf8Value()});
  }
  return words;
}

}  // namespace

AdapterScales adapters_from(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
  const auto scales = value.As<Napi::Float32Array>();
  return {scales.Data(), scales.Data() + scales.ElementLength()};
}

Prompt prompt_from(RequestId id, const Napi::Object& request) {
  Prompt prompt;
  prompt.id = id;
  const Napi::Value content = request.Get("prompt");
  if (content.IsString()) {
    prompt.content =
        PromptText{content.As<Napi::String>().Utf8Value(), bool_field(request, "addSpecial"),
                   bool_field(request, "parseSpecial")};
  } else if (content.IsTypedArray()) {
    const auto tokens = content.As<Napi::Int32Array>();
    prompt.content = std::vector<TokenId>(tokens.Data(), tokens.Data() + tokens.ElementLength());
  } else {
    prompt.content = form_from(content.As<Napi::Object>());
  }
  prompt.params.sampling = sampling_from(request);
  prompt.params.max_tokens = int_field(request, "maxTokens");
  prompt.params.min_tokens = int_field(request, "minTokens");
  prompt.params.ignore_eos = bool_field(request, "ignoreEos");
  prompt.params.cache = bool_field(request, "cache");
  prompt.params.cache_salt = request.Get("cacheSalt").As<Napi::String>().Utf8Value();
  prompt.params.adapters = adapters_from(request.Get("loras"));
  prompt.grammar = request.Get("grammar").As<Napi::String>().Utf8Value();
  prompt.params.grammar_prefix = request.Get("grammarPrefix").As<Napi::String>().Utf8Value();
  prompt.triggers.words = trigger_words_from(request.Get("triggers"));
  prompt.triggers.before = request.Get("textBefore").As<Napi::String>().Utf8Value();
  prompt.triggers.thinking_start = request.Get("thinkingStart").As<Napi::String>().Utf8Value();
  prompt.triggers.thinking_ends = strings_from(request.Get("thinkingEnds"));
  prompt.triggers.thinking = bool_field(request, "thinking");
  prompt.visible = strings_from(request.Get("visible"));
  prompt.params.embeds = bool_field(request, "embeds");
  prompt.params.saves = bool_field(request, "saves");
  prompt.ranks = bool_field(request, "ranks");
  prompt.params.parallel_samples = bool_field(request, "parallelSamples");
  prompt.params.log_probs = int_field(request, "logProbs");
  prompt.params.prompt_log_probs = int_field(request, "promptLogProbs");
  prompt.params.prompt_tokens = bool_field(request, "promptTokens");
  prompt.params.include_stop = bool_field(request, "includeStop");
  prompt.bad_words = strings_from(request.Get("badWords"));
  prompt.params.allowed_tokens = tokens_from(request.Get("allowedTokens"));
  prompt.show_special = bool_field(request, "showSpecial");
  prompt.most_tokens = int_field(request, "truncatePrompt");
  prompt.params.stop = strings_from(request.Get("stop"));
  prompt.dry_breakers = strings_from(request.Get("drySequenceBreakers"));
  prompt.params.stop_tokens = tokens_from(request.Get("stopTokens"));
  return prompt;
}

}  // namespace infernode
