// What the cache holds of a prompt, taken out and put back as bytes. The engine
// thread does the work between two steps; a libuv worker waits for it.
#pragma once

#include <napi.h>

#include <memory>

#include "core/engine.h"
#include "model/llama_model.h"

namespace infernode {

// { tokens: Int32Array, state: Buffer }, or null where nothing of it is held.
Napi::Promise take_state(Napi::Env env, std::shared_ptr<const LlamaModel> model,
                         std::shared_ptr<Engine> engine, const Napi::Object& prompt);

// True when host memory had room for it.
Napi::Promise give_state(Napi::Env env, std::shared_ptr<Engine> engine, const Napi::Object& state);

}  // namespace infernode
