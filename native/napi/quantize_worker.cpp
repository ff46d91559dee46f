#include "napi/quantize_worker.h"

#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint_file.h"
#include "model/gguf_file.h"
#include "model/gguf_values.h"
#include "model/llama_quantize.h"
#include "model/llama_quantize_types.h"
#include "napi/cancellable_worker.h"
#include "napi/checkpoint_convert.h"

namespace infernode {

namespace {

struct Order {
  CheckpointOptions checkpoint;
  TextValues values;
  QuantizeRequest request;
};

class QuantizeWorker final : public CancellableWorker {
 public:
  QuantizeWorker(Napi::Env env, Order order, const Napi::Value& listener)
      : CancellableWorker(env, "infernode quantize",
                          {.out_of_memory = "There is too little memory to quantize the model.",
                           .failed = "The model could not be quantized"},
                          listener),
        order_(std::move(order)) {}

 protected:
  void work(const std::atomic<bool>& cancelled) override {
    const auto checkpoint = CheckpointFile::open(order_.checkpoint);
    report_ = checkpoint->report();
    const ValuedSource source(*checkpoint, order_.values);
    QuantizeRequest request = order_.request;
    request.progress = [this](float fraction) { report(fraction); };
    const QuantizePlan plan = quantize_to_file(source, request, cancelled);
    report_->notes.insert(report_->notes.end(), plan.notes.begin(), plan.notes.end());
    written_.emplace(GgufFile::read(request.out));
  }

  Napi::Value result(Napi::Env env) override {
    auto told = checkpoint_to(env, report_).As<Napi::Object>();
    const auto tensors = told.Get("tensors").As<Napi::Array>();
    for (std::uint32_t i = 0; i < tensors.Length(); ++i) {
      const GgufTensor* tensor = written_->tensor(report_->tensors[i].name);
      if (tensor == nullptr) continue;
      const Napi::Object entry = tensors.Get(i).As<Napi::Object>();
      entry.Set("type", std::string(tensor->type_name));
      entry.Set("bytes", static_cast<double>(tensor->bytes));
    }
    told.Set("bytes", static_cast<double>(written_->file_bytes()));
    return told;
  }

 private:
  Order order_;
  std::optional<CheckpointReport> report_;  // for the plain weights
  std::optional<GgufFile> written_;
};

Order order_from(const Napi::Object& object) {
  Order order;
  const std::string directory = object.Get("directory").ToString();
  order.checkpoint =
      checkpoint_from(directory, object.Get("checkpoint")).value_or(CheckpointOptions{});
  order.checkpoint.path = directory;
  // The quantizer's input is the weights as stored in the checkpoint.
  order.checkpoint.plain_type.reset();
  order.checkpoint.keep_bf16 = true;
  const auto values = object.Get("values").As<Napi::Object>();
  for (const auto& [key, value] : values)
    order.values.emplace_back(key.ToString().Utf8Value(), value.AsValue().ToString().Utf8Value());
  order.request.type = object.Get("type").ToString();
  order.request.out = object.Get("target").ToString();
  order.request.threads = order.checkpoint.threads;
  return order;
}

}  // namespace

Napi::Value quantize_checkpoint(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto object = info[0].As<Napi::Object>();
  auto* worker = new QuantizeWorker(env, order_from(object), object.Get("onProgress"));
  return worker->start();
}

Napi::Value quantize_type_names(const Napi::CallbackInfo& info) {
  const std::vector<std::string> names = quantize_types();
  Napi::Array array = Napi::Array::New(info.Env(), names.size());
  for (std::uint32_t i = 0; i < names.size(); ++i) array.Set(i, names[i]);
  return array;
}

}  // namespace infernode
