#include "model/llama_rows.h"

#include "core/types.h"

namespace infernode {

LlamaRows::LlamaRows(std::size_t most)
    : tokens_(most),
      positions_(most),
      sequences_(most),
      sequence_lists_(most),
      sequence_counts_(most, 1),
      wants_logits_(most) {
  for (std::size_t i = 0; i < most; ++i) sequence_lists_[i] = &sequences_[i];
}

llama_batch LlamaRows::batch(std::span<const BatchRow> rows, bool all_logits) {
  INFERNODE_CHECK(rows.size() <= tokens_.size(), "a pass has more rows than there is room for");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    tokens_[i] = rows[i].token;
    positions_[i] = rows[i].position;
    sequences_[i] = rows[i].sequence;
    wants_logits_[i] = static_cast<std::int8_t>(all_logits || rows[i].wants_logits);
  }
  llama_batch batch{};
  batch.n_tokens = static_cast<std::int32_t>(rows.size());
  batch.token = tokens_.data();
  batch.pos = positions_.data();
  batch.n_seq_id = sequence_counts_.data();
  batch.seq_id = sequence_lists_.data();
  batch.logits = wants_logits_.data();
  return batch;
}

}  // namespace infernode
