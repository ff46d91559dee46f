// Passes over one pool of cells. A pass may have any rows: decode rows are computed together
// with prompt rows, so that the weights are read once for both. How many rows fit depends on the
// free cells. Engine thread only.
#pragma once

#include "planner.h"
#include "scheduler.h"

namespace infernode {

class PoolPlanner final : public Planner {
 public:
  // Both outlive this.
  PoolPlanner(const BackendLimits& limits, const Scheduler& scheduler, KvCache& cache)
      : limits_(limits), scheduler_(scheduler), cache_(cache) {}

  [[nodiscard]] std::optional<SlotMove> next_move() const override { return std::nullopt; }
  std::vector<DecodeRow> decode_rows() const override;
  std::size_t most_drafted(std::size_t requests) override;
  PassShares joint_pass(std::span<const DecodeRow> rows, std::int32_t budget) override;
  [[nodiscard]] bool plans_ahead() const override { return false; }  // it asks for free cells
  std::vector<PassShares> prompt_passes(std::int32_t budget) override;

 private:
  PassShares pass_of(std::span<const DecodeRow> rows, std::int32_t budget);

  const BackendLimits limits_;
  const Scheduler& scheduler_;
  KvCache& cache_;
};

}  // namespace infernode
