// States of sequences to and from JavaScript: converts a saved one, and puts one that JavaScript
// passes into the engine's host memory. The engine thread does the latter between two passes while
// a libuv worker waits for the outcome. JavaScript thread only.
#pragma once

#include <napi.h>

#include <memory>

#include "core/engine.h"

namespace infernode {

// { tokens: Int32Array, state: Buffer }, or undefined if the state is larger than JavaScript's
// largest buffer.
Napi::Value state_to(Napi::Env env, const CachedState& state);

// Keeps the state for requests that begin with its tokens. Resolves to "kept", "no-room" or
// "malformed".
Napi::Promise import_state(Napi::Env env, std::shared_ptr<Engine> engine,
                           const Napi::Object& state);

}  // namespace infernode
