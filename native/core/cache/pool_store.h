// One pool of cells for all sequences: sequences with a common prefix share its cells, and a prefix
// is copied by reference. Idle sequences hold their cells until they are evicted.
// Engine thread only.
#pragma once

#include "cell_pool.h"
#include "kv_store.h"

namespace infernode {

class PoolStore final : public KvStore {
 public:
  PoolStore(Backend& backend, Clock clock);

  void begin_step() override;
  void set_busy(SequenceId sequence, bool busy) override { cells_.set_busy(sequence, busy); }

  std::int64_t capacity() const override { return cells_.size(); }
  std::int32_t free_cells() const override;
  std::int32_t available_cells() const override { return cells_.size() - cells_.busy(); }
  CellCounts cells(CellCounts positions) const override;

  void check(SequenceId sequence, bool busy) const override;
  void check_cells() const override;

  [[nodiscard]] bool copy(SequenceId from, SequenceId to, Position length) override;
  double copy_ms(Position) const override { return 0; }

 private:
  void changed(SequenceId sequence) override;

  const std::int32_t sequences_;
  CellPool cells_;  // as of the last change or step, without what passes have added since
};

}  // namespace infernode
