// A placement as JavaScript writes it (NativePlacement in src/native.ts). JavaScript thread only.
#pragma once

#include <napi.h>

#include "model/placement.h"

namespace infernode {

Placement placement_from(const Napi::Value& value);

}  // namespace infernode
