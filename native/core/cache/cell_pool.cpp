#include "cell_pool.h"

#include <iterator>
#include <numeric>
#include <string>

namespace infernode {

CellPool::CellPool(std::int32_t sequences, std::int32_t cells)
    : holders_(static_cast<std::size_t>(sequences)),
      cells_(static_cast<std::size_t>(cells)),
      free_(static_cast<std::size_t>(cells)) {
  std::iota(free_.begin(), free_.end(), Index{0});
}

void CellPool::count_busy(Index cell, std::int32_t change) {
  std::int32_t& busy = cells_[cell].busy;
  busy_ -= busy > 0 ? 1 : 0;
  busy += change;
  busy_ += busy > 0 ? 1 : 0;
}

void CellPool::set_busy(SequenceId sequence, bool busy) {
  Holder& holder = at(sequence);
  if (holder.busy == busy) return;
  holder.busy = busy;
  for (const Index cell : holder.cells) count_busy(cell, busy ? 1 : -1);
}

void CellPool::add(Holder& holder, Index cell) {
  holder.cells.push_back(cell);
  ++cells_[cell].sequences;
  if (holder.busy) count_busy(cell, 1);
}

void CellPool::truncate_last(Holder& holder) {
  const Index cell = holder.cells.back();
  holder.cells.pop_back();
  if (holder.busy) count_busy(cell, -1);
  if (--cells_[cell].sequences == 0) free_.push_back(cell);
}

void CellPool::resize(SequenceId sequence, Position length) {
  Holder& holder = at(sequence);
  const auto wanted = static_cast<std::size_t>(length);
  while (holder.cells.size() > wanted) truncate_last(holder);
  INFERNODE_CHECK(wanted - holder.cells.size() <= free_.size(),
                  "a sequence of " + std::to_string(length) + " positions finds no room in " +
                      std::to_string(size()) + " cells");
  while (holder.cells.size() < wanted) {
    add(holder, free_.back());  // may throw: the cell is still free then
    free_.pop_back();
  }
}

void CellPool::share(SequenceId from, SequenceId to, Position length) {
  INFERNODE_CHECK(at(to).cells.empty() && length <= this->length(from),
                  "cells are shared that are not there, or with a sequence that has some");
  for (Position position = 0; position < length; ++position)
    add(at(to), at(from).cells[static_cast<std::size_t>(position)]);
}

void CellPool::check() const {
  std::int64_t held = 0, held_busy = 0;  // a shared cell as often as it is shared
  for (const Holder& holder : holders_) {
    held += std::ssize(holder.cells);
    held_busy += holder.busy ? std::ssize(holder.cells) : 0;
  }
  std::int32_t busy = 0, idle = 0;
  for (const Cell& cell : cells_) {
    held -= cell.sequences;
    held_busy -= cell.busy;
    busy += cell.busy > 0 ? 1 : 0;
    idle += cell.busy == 0 && cell.sequences > 0 ? 1 : 0;
  }
  INFERNODE_CHECK(held == 0 && held_busy == 0,
                  "the cells of a pool count other sequences than those that hold them");
  INFERNODE_CHECK(busy == busy_, "a pool has " + std::to_string(busy) + " busy cells and counts " +
                                     std::to_string(busy_));
  INFERNODE_CHECK(free() + busy + idle == size(),
                  "a pool of " + std::to_string(size()) + " cells has " + std::to_string(free()) +
                      " free, " + std::to_string(busy) + " busy and " + std::to_string(idle) +
                      " idle ones");
}

}  // namespace infernode
