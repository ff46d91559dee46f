// A saved state as JavaScript has it, and put back: the engine thread does that between
// two steps, and a libuv worker waits for it.
#pragma once

#include <napi.h>

#include <memory>

#include "core/engine.h"

namespace infernode {

// { tokens: Int32Array, state: Buffer }, or undefined where JavaScript has no buffer
// as large.
Napi::Value state_to(Napi::Env env, const CachedState& state);

// "kept", "no-room" or "malformed".
Napi::Promise give_state(Napi::Env env, std::shared_ptr<Engine> engine, const Napi::Object& state);

}  // namespace infernode
