// A model as a JavaScript object: shares the weights with the engines created from it, and releases
// its reference on close() or garbage collection. JavaScript thread only.
#pragma once

#include <napi.h>

#include <memory>

#include "model/llama_model.h"
#include "napi/guarded.h"

namespace infernode {

class ModelWrap final : public Napi::ObjectWrap<ModelWrap>, public WaitsForMemory {
 public:
  static Napi::Function define(Napi::Env env);

  // Returns {promise, cancel}: the promise of a ModelWrap, loaded on a libuv worker.
  static Napi::Value load(const Napi::CallbackInfo& info);

  explicit ModelWrap(const Napi::CallbackInfo& info);

 private:
  friend class LoadModelWorker;

  // What JavaScript calls: `method`, whose exceptions get a code.
  template <auto method>
  auto guarded(const Napi::CallbackInfo& info) {
    return with_codes(info.Env(), [&] { return (this->*method)(info); });
  }

  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value tensors(const Napi::CallbackInfo& info);
  Napi::Value tokenize(const Napi::CallbackInfo& info);
  Napi::Value detokenize(const Napi::CallbackInfo& info);
  Napi::Value token_bytes(const Napi::CallbackInfo& info);
  Napi::Value memory_needed(const Napi::CallbackInfo& info);
  Napi::Value create_engine(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  const std::shared_ptr<const LlamaModel>& model(Napi::Env env) const;
  // nullptr if the options name none.
  static std::shared_ptr<const LlamaModel> draft_of(Napi::Env env, const Napi::Object& options);

  std::shared_ptr<const LlamaModel> model_;
};

}  // namespace infernode
