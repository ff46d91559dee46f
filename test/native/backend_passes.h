// Passes of a backend without an engine: submitted and waited for.
#pragma once

#include <span>

#include "core/backend.h"

namespace infernode {

inline DecodeStatus run_pass(Backend& backend, const PassRows& pass) {
  return compute(backend, pass, [] {});
}

// One row per sequence.
inline DecodeStatus run_decode(Backend& backend, std::span<const BatchRow> rows, bool embeds) {
  return run_pass(backend, {rows, true, embeds});
}

inline DecodeStatus run_prefill(Backend& backend, std::span<const BatchRow> rows) {
  return run_pass(backend, {rows});
}

}  // namespace infernode
