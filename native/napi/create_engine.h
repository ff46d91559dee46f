// Creates an engine's contexts on a libuv worker, with defaults for the options that are left open.
// create_engine() is for the JavaScript thread only.
#pragma once

#include <napi.h>

#include <memory>

#include "model/llama_model.h"
#include "model/memory_estimate.h"
#include "napi/convert.h"

namespace infernode {

// The models of an engine; `draft` may be null.
struct EngineModels {
  std::shared_ptr<const LlamaModel> model;
  std::shared_ptr<const LlamaModel> draft;
};

// The host cache's limit if the options leave it open. Any thread: the worker calls it too.
void choose_host_cache(EngineOptions& options, const MemoryNeeded& needed);

// Returns a promise of an EngineWrap, whose events go to `handler`.
Napi::Promise create_engine(Napi::Env env, EngineModels models, const Napi::Object& options,
                            const Napi::Function& handler);

}  // namespace infernode
