// One stream of cells per sequence: no sequence can take cells of another, and a prefix is copied
// through host memory. llama.cpp's own copy between streams copies whole streams and rebuilds
// every graph; this copies only the cells in use.
// Engine thread only.
#pragma once

#include "kv_store.h"

namespace infernode {

class StreamStore final : public KvStore {
 public:
  using KvStore::KvStore;

  void begin_step() override { copied_from_ = kNoSequence; }
  void set_busy(SequenceId, bool) override {}  // idle sequences take nothing from busy ones

  std::int64_t capacity() const override;
  std::int32_t free_cells() const override { return kUnlimitedCells; }
  std::int32_t available_cells() const override { return kUnlimitedCells; }
  CellCounts cells(CellCounts positions) const override { return positions; }

  void check(SequenceId, bool) const override {}  // no counts of its own
  void check_cells() const override {}

  [[nodiscard]] bool copy(SequenceId from, SequenceId to, Position length) override;
  double copy_ms(Position length) const override { return 2 * transfer_ms(length); }

 private:
  void changed(SequenceId sequence) override;

  // The state copied last: often several requests of a step copy the same one.
  SequenceId copied_from_ = kNoSequence;
  StateBytes copied_state_;
};

}  // namespace infernode
