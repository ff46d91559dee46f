// The rows of a pass as a llama_batch, in buffers that are allocated once. For the one thread that
// computes with the context.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/backend.h"
#include "llama.h"

namespace infernode {

class LlamaRows {
 public:
  explicit LlamaRows(std::size_t most);

  // `rows` must not exceed the capacity; the result is valid until the next call.
  llama_batch batch(std::span<const BatchRow> rows, bool all_logits);

 private:
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<llama_seq_id> sequences_;
  std::vector<llama_seq_id*> sequence_lists_;  // one list per row, with its one sequence
  std::vector<std::int32_t> sequence_counts_;
  std::vector<std::int8_t> wants_logits_;
};

}  // namespace infernode
