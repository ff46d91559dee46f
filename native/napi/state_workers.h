// Saves and restores a sequence's state for JavaScript: the engine thread does it between two steps
// while a libuv worker waits for the result.
#pragma once

#include <napi.h>

#include <memory>

#include "core/engine.h"

namespace infernode {

// { tokens: Int32Array, state: Buffer }, or undefined if the state is larger than JavaScript's
// largest buffer.
Napi::Value state_to(Napi::Env env, const CachedState& state);

// Resolves to "kept", "no-room" or "malformed".
Napi::Promise import_state(Napi::Env env, std::shared_ptr<Engine> engine,
                           const Napi::Object& state);

}  // namespace infernode
