// The books of one pool of cells that all sequences draw from (the unified
// layout): which positions of which sequences lie in one cell, how many cells
// nobody has, and how many are of sequences that compute. It counts; the backend
// chooses the real places.
// A value of its owner's thread. Refuses to give more cells than there are.
#pragma once

#include <cstdint>
#include <vector>

#include "types.h"

namespace infernode {

class CellPool {
 public:
  CellPool(std::int32_t sequences, std::int32_t cells);

  std::int32_t size() const { return static_cast<std::int32_t>(cells_.size()); }
  std::int32_t free() const { return static_cast<std::int32_t>(free_.size()); }
  // Cells of sequences that compute; each is counted once.
  std::int32_t busy() const { return busy_; }
  // Positions the sequence has cells for.
  Position length(SequenceId sequence) const {
    return static_cast<Position>(at(sequence).cells.size());
  }

  // The sequence computes from now on, or keeps what it has for others.
  void set_busy(SequenceId sequence, bool busy);
  // The sequence has this many positions: takes cells for those that are new, in
  // none of which another has a part, and lets go of those beyond.
  // Throws BrokenInvariant when there are not as many.
  void resize(SequenceId sequence, Position length);
  // An empty sequence gets a part in the first `length` cells of another.
  void share(SequenceId from, SequenceId to, Position length);

 private:
  using Index = std::uint32_t;
  struct Cell {
    std::int32_t sequences = 0;
    std::int32_t busy = 0;  // of those, how many compute
  };
  struct Holder {
    std::vector<Index> cells;  // by position
    bool busy = false;
  };

  Holder& at(SequenceId sequence) { return holders_.at(static_cast<std::size_t>(sequence)); }
  const Holder& at(SequenceId sequence) const {
    return holders_.at(static_cast<std::size_t>(sequence));
  }
  void count_busy(Index cell, std::int32_t change);
  void take(Holder& holder, Index cell);
  void let_go(Holder& holder);

  std::vector<Holder> holders_;
  std::vector<Cell> cells_;
  std::vector<Index> free_;
  std::int32_t busy_ = 0;
};

}  // namespace infernode
