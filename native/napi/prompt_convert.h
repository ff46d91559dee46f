// A request of JavaScript as the prompt queue takes it. Options were judged in TypeScript; a field
// of the wrong type here is our own mistake and throws a TypeError.
// JavaScript thread only.
#pragma once

#include <napi.h>

#include "model/prompt_queue.h"

namespace infernode {

// Nothing where the value is null: as the engine was made.
AdapterScales adapters_from(const Napi::Value& value);

Prompt prompt_from(RequestId id, const Napi::Object& request);

}  // namespace infernode
