#include "napi/convert.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "model/cache_kind.h"
#include "napi/checkpoint_convert.h"
#include "napi/fields.h"
#include "napi/placement.h"
#include "napi/state_workers.h"

namespace infernode {

namespace {

// In the order of KvType.
constexpr std::array<std::string_view, 5> kKvTypeNames = {"f16", "f32", "bf16", "q8_0", "q4_0"};

std::string kv_type_name(KvType type) {
  return std::string(kKvTypeNames.at(static_cast<std::size_t>(type)));
}

struct ScalarToJs {
  Napi::Env env;
  Napi::Value operator()(bool value) const { return Napi::Boolean::New(env, value); }
  Napi::Value operator()(double value) const { return Napi::Number::New(env, value); }
  Napi::Value operator()(const std::string& value) const { return Napi::String::New(env, value); }
  // Above 2^53 a double is no longer exact.
  Napi::Value operator()(std::uint64_t value) const {
    if (value > (1ULL << 53)) return Napi::BigInt::New(env, value);
    return Napi::Number::New(env, static_cast<double>(value));
  }
  Napi::Value operator()(std::int64_t value) const {
    if (value > (1LL << 53) || value < -(1LL << 53)) return Napi::BigInt::New(env, value);
    return Napi::Number::New(env, static_cast<double>(value));
  }
  Napi::Value operator()(const GgufArray& array) const {
    if (array.items.size() < array.length) {
      Napi::Object summary = Napi::Object::New(env);
      summary.Set("arrayLength", static_cast<double>(array.length));
      return summary;
    }
    Napi::Array items = Napi::Array::New(env, array.items.size());
    for (std::size_t i = 0; i < array.items.size(); ++i) {
      items.Set(static_cast<std::uint32_t>(i), std::visit(*this, array.items[i]));
    }
    return items;
  }
};

Napi::Array strings_to(Napi::Env env, const std::vector<std::string>& strings) {
  Napi::Array array = Napi::Array::New(env, strings.size());
  for (std::size_t i = 0; i < strings.size(); ++i) {
    array.Set(static_cast<std::uint32_t>(i), strings[i]);
  }
  return array;
}

}  // namespace

KvType kv_type_field(const Napi::Object& object, const char* name) {
  return static_cast<KvType>(name_field(object, name, kKvTypeNames));
}

EngineOptions engine_options_from(const Napi::Object& object) {
  EngineOptions options;
  options.context.slots = int_field(object, "slots");
  options.context.context_length = int_field(object, "contextLength");
  options.context.cells = int_field(object, "kvCells");
  options.context.prefill_chunk = int_field(object, "prefillChunk");
  options.context.threads = int_field(object, "threads");
  options.context.kv_type = kv_type_field(object, "kvType");
  options.context.flash_attention = bool_field(object, "flashAttention");
  options.context.kv_offload = bool_field(object, "kvOffload");
  options.config.sampler_helpers = int_field(object, "samplerThreads");
  options.config.cache.keeps_prefixes = bool_field(object, "promptCache");
  const std::int64_t host_cache = object.Get("hostCacheBytes").As<Napi::Number>().Int64Value();
  options.chooses_host_cache = host_cache < 0;
  options.config.cache.host_limit = static_cast<std::size_t>(std::max<std::int64_t>(0, host_cache));
  options.config.cache.deterministic = bool_field(object, "deterministic");
  options.context.whole_windows = options.config.cache.deterministic;
  const auto loras = object.Get("loras").As<Napi::Array>();
  for (std::uint32_t i = 0; i < loras.Length(); ++i) {
    const auto lora = loras.Get(i).As<Napi::Object>();
    options.context.loras.push_back(
        {lora.Get("name").ToString(), lora.Get("path").ToString(), float_field(lora, "scale")});
  }
  options.context.speculation = bool_field(object, "speculation");
  options.config.drafting.enabled = bool_field(object, "speculation");
  options.config.drafting.draft_length = static_cast<std::size_t>(int_field(object, "draftTokens"));
  options.config.queue_limit = static_cast<std::size_t>(int_field(object, "queueLimit"));
  options.config.inter_token_latency_ms =
      object.Get("interTokenLatencyMs").As<Napi::Number>().DoubleValue();
  return options;
}

Napi::Object engine_options_to(Napi::Env env, const EngineOptions& options) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("slots", options.context.slots);
  object.Set("contextLength", options.context.context_length);
  const bool unified = options.context.cells > 0;
  object.Set("kvLayout", unified ? "unified" : "streams");
  object.Set("kvCells", unified ? options.context.cells
                                : options.context.slots * options.context.context_length);
  object.Set("prefillChunk", options.context.prefill_chunk);
  object.Set("threads", options.context.threads);
  object.Set("kvType", kv_type_name(options.context.kv_type));
  object.Set("flashAttention", options.context.flash_attention);
  object.Set("kvOffload", options.context.kv_offload);
  object.Set("promptCache", options.config.cache.keeps_prefixes);
  object.Set("hostCacheBytes", static_cast<double>(options.config.cache.host_limit));
  object.Set("deterministic", options.config.cache.deterministic);
  Napi::Array loras = Napi::Array::New(env, options.context.loras.size());
  for (std::size_t i = 0; i < options.context.loras.size(); ++i) {
    Napi::Object lora = Napi::Object::New(env);
    lora.Set("name", options.context.loras[i].name);
    lora.Set("path", options.context.loras[i].path);
    lora.Set("scale", static_cast<double>(options.context.loras[i].scale));
    loras.Set(static_cast<std::uint32_t>(i), lora);
  }
  object.Set("loras", loras);
  object.Set("speculation", options.config.drafting.enabled);
  object.Set("draftTokens", static_cast<double>(options.config.drafting.draft_length));
  object.Set("samplerThreads", options.config.sampler_helpers);
  object.Set("queueLimit", static_cast<double>(options.config.queue_limit));
  object.Set("interTokenLatencyMs", options.config.inter_token_latency_ms);
  return object;
}

std::optional<SyntheticShape> synthetic_from(const std::string& reference,
                                             const Napi::Value& value) {
  if (!value.IsObject()) return std::nullopt;
  const auto object = value.As<Napi::Object>();
  SyntheticShape shape;
  shape.reference = reference;
  shape.tokenizer = object.Get("tokenizer").ToString();
  shape.architecture = object.Get("architecture").ToString();
  shape.type = object.Get("type").ToString();
  shape.seed = static_cast<std::uint64_t>(object.Get("seed").As<Napi::Number>().Int64Value());
  shape.layers = int_field(object, "layers");
  shape.width = int_field(object, "width");
  shape.feed_forward = int_field(object, "feedForward");
  shape.heads = int_field(object, "heads");
  shape.kv_heads = int_field(object, "kvHeads");
  shape.vocabulary = int_field(object, "vocabulary");
  shape.context_length = int_field(object, "contextLength");
  shape.window = int_field(object, "window");
  shape.experts = int_field(object, "experts");
  shape.experts_used = int_field(object, "expertsUsed");
  shape.state = int_field(object, "state");
  shape.labels = int_field(object, "labels");
  return shape;
}

Napi::Object metadata_to(Napi::Env env, const GgufFile& file) {
  Napi::Object object = Napi::Object::New(env);
  for (const GgufEntry& entry : file.metadata()) {
    object.Set(entry.key, std::visit(ScalarToJs{env}, entry.value.value));
  }
  return object;
}

Napi::Array tensors_to(Napi::Env env, const GgufFile& file) {
  Napi::Array array = Napi::Array::New(env, file.tensors().size());
  std::uint32_t index = 0;
  for (const GgufTensor& tensor : file.tensors()) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", tensor.name);
    object.Set("type", std::string(tensor.type_name));
    Napi::Array shape = Napi::Array::New(env, tensor.shape.size());
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      shape.Set(static_cast<std::uint32_t>(i), static_cast<double>(tensor.shape[i]));
    }
    object.Set("shape", shape);
    object.Set("bytes", static_cast<double>(tensor.bytes));
    array.Set(index++, object);
  }
  return array;
}

Napi::Object info_to(Napi::Env env, const LlamaModel& model) {
  const ModelInfo& info = model.info();
  Napi::Object object = Napi::Object::New(env);
  object.Set("architecture", info.architecture);
  object.Set("description", info.description);
  object.Set("name", info.name);
  object.Set("metadata", metadata_to(env, model.file()));
  object.Set("vocabularySize", info.vocabulary_size);
  object.Set("contextLength", info.context_length);
  object.Set("embeddingLength", info.embedding_length);
  object.Set("layerCount", info.layer_count);
  object.Set("parameterCount", static_cast<double>(info.parameter_count));
  object.Set("fingerprint", info.fingerprint);
  object.Set("sizeBytes", static_cast<double>(info.size_bytes));
  object.Set("bosToken", info.bos_token);
  object.Set("eosToken", info.eos_token);
  object.Set("addBos", info.add_bos);
  object.Set("chatTemplate", info.has_chat_template
                                 ? Napi::Value(Napi::String::New(env, info.chat_template))
                                 : env.Null());
  object.Set("devices", model_devices_to(env, info.devices));
  object.Set("rankLabels", strings_to(env, info.rank_labels));
  object.Set("cacheKind", std::string(cache_kind_name(cache_kind(info))));
  object.Set("checkpoint", checkpoint_to(env, info.checkpoint));
  object.Set("loadMilliseconds", info.load_milliseconds);
  return object;
}

Napi::Object stats_to(Napi::Env env, const EngineStats& stats, double wake_ups) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, auto value) {
    object.Set(name, static_cast<double>(value));
  };
  set("running", stats.running);
  set("waiting", stats.waiting);
  set("steps", stats.steps);
  set("decodePasses", stats.decode_passes);
  set("prefillPasses", stats.prefill_passes);
  set("decodeRows", stats.decode_rows);
  set("paddingRows", stats.padding_rows);
  set("promptTokensComputed", stats.prompt_tokens_computed);
  set("promptTokensCached", stats.cache.prompt_tokens_cached);
  set("generatedTokens", stats.generated_tokens);
  set("draftedTokens", stats.drafted_tokens);
  set("acceptedTokens", stats.accepted_tokens);
  set("modelDraftedTokens", stats.model_drafted_tokens);
  set("modelAcceptedTokens", stats.model_accepted_tokens);
  set("draftPasses", stats.draft_passes);
  set("draftFailures", stats.draft_failures);
  set("maskedRows", stats.masked_rows);
  set("preemptions", stats.preemptions);
  set("sequenceMoves", stats.sequence_moves);
  set("adapterSwitches", stats.adapter_switches);
  set("failedPasses", stats.failed_passes);
  set("kvCellsUsed", stats.cache.cells_used);
  set("kvCellsCached", stats.cache.cells_cached);
  set("prefixCopies", stats.cache.copies);
  set("prefixEvictions", stats.cache.evictions);
  set("hostCacheRestores", stats.cache.host_restores);
  set("hostCacheBytes", stats.cache.host_bytes);
  set("kvCellsTotal", stats.cells_total);
  set("graphsReused", stats.setups_reused);
  set("wakeUps", wake_ups);
  set("planMs", stats.plan_ms);
  set("decodeMs", stats.decode_ms);
  set("draftMs", stats.draft_ms);
  set("sampleMs", stats.sample_ms);
  set("emitMs", stats.emit_ms);
  set("prefillMs", stats.prefill_ms);
  set("submitMs", stats.submit_ms);
  set("otherMs", stats.other_ms);
  set("overlappedMs", stats.overlapped_ms);
  return object;
}

Napi::Object end_to(Napi::Env env, const End& end) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("id", static_cast<double>(end.id));
  object.Set("reason", std::string(finish_reason_name(end.reason)));
  if (end.failure) {
    Napi::Object failure = Napi::Object::New(env);
    failure.Set("code", std::string(error_name(end.failure->code)));
    failure.Set("message", end.failure->message);
    if (!end.failure->option.empty()) failure.Set("option", end.failure->option);
    object.Set("failure", failure);
  } else {
    object.Set("failure", env.Null());
  }
  object.Set("promptTokens", end.usage.prompt_tokens);
  object.Set("cachedPromptTokens", end.usage.cached_prompt_tokens);
  object.Set("completionTokens", end.usage.completion_tokens);
  if (!end.embedding.empty()) {
    Napi::Float32Array embedding = Napi::Float32Array::New(env, end.embedding.size());
    std::copy(end.embedding.begin(), end.embedding.end(), embedding.Data());
    object.Set("embedding", embedding);
  }
  if (end.state != nullptr) object.Set("state", state_to(env, *end.state));
  object.Set("queueMs", end.timings.queue_ms);
  object.Set("prefillMs", end.timings.prefill_ms);
  object.Set("decodeMs", end.timings.decode_ms);
  object.Set("totalMs", end.timings.total_ms);
  return object;
}

Napi::Error error_to(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  error.Set("code", std::string(error_name(failure.code)));
  return error;
}

}  // namespace infernode
