// Passes over a stream of cells per sequence (BackendLimits::rectangular). llama.cpp computes a
// pass over streams in one piece only if its sequences are consecutive and have equally many rows.
// So gaps between the sequences of a decode pass are filled with padding or closed by moves,
// prompts are prefilled in groups of neighbouring sequences, and decode rows share no pass with
// prompt rows. Engine thread only.
#pragma once

#include "planner.h"
#include "scheduler.h"

namespace infernode {

class StreamPlanner final : public Planner {
 public:
  // Both outlive this, which only reads them.
  StreamPlanner(const BackendLimits& limits, const Scheduler& scheduler, const KvCache& cache)
      : limits_(limits), scheduler_(scheduler), cache_(cache) {}

  [[nodiscard]] std::optional<SlotMove> next_move() const override;
  std::vector<DecodeRow> decode_rows() const override;
  std::size_t most_drafted(std::size_t) override { return kMostDrafted; }
  PassShares joint_pass(std::span<const DecodeRow>, std::int32_t) override { return {}; }
  [[nodiscard]] bool plans_ahead() const override { return true; }
  std::vector<PassShares> prompt_passes(std::int32_t budget) override;

 private:
  // Rows that each sequence still wants of its prompt.
  using Gaps = std::vector<std::int32_t>;

  // `count` rows of each sequence from `first` to `last`.
  struct Group {
    SequenceId first;
    SequenceId last;
    std::int32_t count;

    [[nodiscard]] std::int32_t size() const { return last - first + 1; }
  };

  Gaps gaps() const;
  Group group_around(SequenceId seed, std::int32_t capacity, const Gaps& gaps) const;
  [[nodiscard]] bool may_join(const Group& group, SequenceId slot, std::int32_t capacity,
                              const Gaps& gaps) const;
  Group alone(SequenceId slot, std::int32_t budget, std::int32_t gap) const;
  [[nodiscard]] bool wants_row_logits(SequenceId slot) const;
  std::int32_t piece(std::int32_t wanted, std::int32_t gap, std::int32_t capacity) const;
  [[nodiscard]] bool rounds_alike(std::int32_t gap, std::int32_t count) const;

  const BackendLimits limits_;
  const Scheduler& scheduler_;
  const KvCache& cache_;
};

}  // namespace infernode
