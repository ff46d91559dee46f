#include "napi/checkpoint_convert.h"

#include <algorithm>
#include <string>
#include <vector>

#include "model/llama_quantize_types.h"
#include "napi/fields.h"

namespace infernode {

namespace {

// Empty for the types that only llama.cpp's quantizer makes: it reads the weights as stored.
std::optional<PackedType> plain_type_from(const Napi::Object& object, const std::string& name) {
  constexpr PackedType kPlain[] = {PackedType::kF32, PackedType::kF16, PackedType::kBf16,
                                   PackedType::kQ8_0};
  for (const PackedType plain : kPlain) {
    if (packed_type_name(plain) == name) return plain;
  }
  const std::vector<std::string> types = quantize_types();
  if (std::ranges::find(types, name) == types.end()) refuse_value(object, "plainType");
  return std::nullopt;
}

}  // namespace

std::optional<CheckpointOptions> checkpoint_from(const std::string& path,
                                                 const Napi::Value& value) {
  if (!value.IsObject()) return std::nullopt;
  const auto object = value.As<Napi::Object>();
  CheckpointOptions options;
  options.path = path;
  const auto profile = packing_profile(object.Get("profile").ToString().Utf8Value());
  if (!profile) refuse_value(object, "profile");
  options.profile = *profile;
  const Napi::Value type = object.Get("plainType");
  if (type.IsString()) options.plain_type = plain_type_from(object, type.ToString());
  const Napi::Value pre_tokenizer = object.Get("preTokenizer");
  if (pre_tokenizer.IsString()) options.pre_tokenizer = pre_tokenizer.As<Napi::String>();
  options.keep_bf16 = object.Get("keepBf16").ToBoolean();
  options.headers_only = object.Get("headersOnly").ToBoolean();
  options.threads = object.Get("threads").ToNumber().Int32Value();
  return options;
}

Napi::Value checkpoint_to(Napi::Env env, const std::optional<CheckpointReport>& report) {
  if (!report) return env.Null();
  Napi::Object object = Napi::Object::New(env);
  object.Set("description", report->description);
  Napi::Array notes = Napi::Array::New(env, report->notes.size());
  for (std::uint32_t i = 0; i < report->notes.size(); ++i) notes.Set(i, report->notes[i]);
  object.Set("notes", notes);
  Napi::Array tensors = Napi::Array::New(env, report->tensors.size());
  for (std::uint32_t i = 0; i < report->tensors.size(); ++i) {
    const PackedTensor& packed = report->tensors[i];
    Napi::Object tensor = Napi::Object::New(env);
    tensor.Set("name", packed.name);
    tensor.Set("from", packed.from);
    tensor.Set("type", std::string(packed_type_name(packed.type)));
    tensor.Set("weights", static_cast<double>(packed.weights));
    tensor.Set("bytes", static_cast<double>(packed.bytes));
    tensor.Set("worstError", packed.error.worst);
    tensor.Set("rmsError", packed.error.weights == 0 ? 0 : packed.error.rms());
    tensors.Set(i, tensor);
  }
  object.Set("tensors", tensors);
  return object;
}

}  // namespace infernode
