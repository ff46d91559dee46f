// A saved state put back as bytes. The engine thread does the work between two steps;
// a libuv worker waits for it.
#pragma once

#include <napi.h>

#include <memory>

#include "core/engine.h"

namespace infernode {

// "kept", "no-room" or "malformed".
Napi::Promise give_state(Napi::Env env, std::shared_ptr<Engine> engine, const Napi::Object& state);

}  // namespace infernode
