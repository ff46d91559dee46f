#include "slot_table.h"

#include <string>

#include "backend.h"
#include "request.h"

namespace infernode {

SlotTable::SlotTable(std::int32_t slots)
    : holders_(static_cast<std::size_t>(slots), nullptr), free_slots_(slots) {}

Request* SlotTable::holder(SequenceId slot) const {
  return holders_.at(static_cast<std::size_t>(slot));
}

void SlotTable::take(Request& request) {
  INFERNODE_CHECK(request.sequence == kNoSequence, "a request takes a second slot");
  for (std::size_t slot = 0; slot < holders_.size(); ++slot) {
    if (holders_[slot] != nullptr) continue;
    holders_[slot] = &request;
    request.sequence = static_cast<SequenceId>(slot);
    --free_slots_;
    return;
  }
  INFERNODE_CHECK(false, "a slot is taken and none is free");
}

void SlotTable::release(Request& request) {
  INFERNODE_CHECK(holder(request.sequence) == &request,
                  "a request releases a slot it does not hold");
  holders_[static_cast<std::size_t>(request.sequence)] = nullptr;
  ++free_slots_;
  request.forget_computed();
}

void SlotTable::move(SequenceId from, SequenceId to) {
  Request* request = holder(from);
  INFERNODE_CHECK(request != nullptr && holder(to) == nullptr,
                  "a move needs a holder and a free slot");
  holders_[static_cast<std::size_t>(to)] = request;
  holders_[static_cast<std::size_t>(from)] = nullptr;
  request->sequence = to;
}

std::int64_t SlotTable::cells_used() const {
  std::int64_t cells = 0;
  for (const Request* request : holders_) {
    if (request != nullptr) cells += request->computed;
  }
  return cells;
}

void SlotTable::check(const Backend& backend) const {
  for (SequenceId slot = 0; slot < size(); ++slot) {
    const Request* request = holder(slot);
    const Position owed = request == nullptr ? 0 : request->computed;
    const Position held = backend.resident(slot);
    INFERNODE_CHECK(owed == held, "slot " + std::to_string(slot) + " holds " +
                                      std::to_string(held) + " cells, its ledger says " +
                                      std::to_string(owed));
  }
}

}  // namespace infernode
