// Bookkeeping for one pool of cells shared by all sequences (llama.cpp's unified KV cache): which
// sequences share a cell, how many cells are free, and how many belong to busy sequences, those
// that a request computes with. It only counts; llama.cpp chooses the cells themselves. Owned by
// one thread. Refuses to allocate more cells than there are.
#pragma once

#include <cstdint>
#include <vector>

#include "core/types.h"

namespace infernode {

class CellPool {
 public:
  CellPool(std::int32_t sequences, std::int32_t cells);

  std::int32_t size() const { return static_cast<std::int32_t>(cells_.size()); }
  std::int32_t free() const { return static_cast<std::int32_t>(free_.size()); }
  // Cells of busy sequences; a cell that several share is counted once.
  std::int32_t busy() const { return busy_; }
  // Positions of the sequence, each in a cell.
  Position length(SequenceId sequence) const {
    return static_cast<Position>(at(sequence).cells.size());
  }

  [[nodiscard]] bool busy(SequenceId sequence) const { return at(sequence).busy; }

  // A request begins or ceases to compute with the sequence.
  void set_busy(SequenceId sequence, bool busy);
  // The sequence has this many positions: allocates unshared cells for new ones, and truncates
  // beyond them: a cell that no other sequence shares is free then. Throws BrokenInvariant when too
  // few cells are free.
  void resize(SequenceId sequence, Position length);
  // An empty sequence shares the first `length` cells of another.
  void share(SequenceId from, SequenceId to, Position length);

  // Throws BrokenInvariant unless each cell is free, busy or idle, and the counts say so. Allocates
  // nothing: it must not fail for lack of memory.
  void check() const;

 private:
  using Index = std::uint32_t;
  struct Cell {
    std::int32_t sequences = 0;
    std::int32_t busy = 0;  // of those, how many are busy
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
  void add(Holder& holder, Index cell);
  void truncate_last(Holder& holder);

  std::vector<Holder> holders_;
  std::vector<Cell> cells_;
  std::vector<Index> free_;
  std::int32_t busy_ = 0;
};

}  // namespace infernode
