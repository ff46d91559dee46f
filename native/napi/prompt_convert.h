// Converts a JavaScript request to the prompt queue's form. TypeScript has validated the options,
// so a field of the wrong type is a bug in infernode and throws a TypeError. JavaScript thread
// only.
#pragma once

#include <napi.h>

#include "model/prompt_queue.h"

namespace infernode {

// Empty if the value is null: the engine's own setting applies.
AdapterScales adapters_from(const Napi::Value& value);

Prompt prompt_from(RequestId id, const Napi::Object& request);

}  // namespace infernode
