// Rows of a pass as llama.cpp's batch, in buffers that are made once. For the one
// thread that computes with the context.
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

  // `rows`, of which there are at most as many as there is room for; valid until the
  // next call.
  llama_batch batch(std::span<const BatchRow> rows, bool all_logits);

 private:
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<llama_seq_id> sequences_;
  std::vector<llama_seq_id*> sequence_lists_;  // of each row: its one sequence
  std::vector<std::int32_t> sequence_counts_;
  std::vector<std::int8_t> wants_logits_;
};

}  // namespace infernode
