// Who holds which slot of the KV cache: the ledger. A slot is one sequence id
// with context_length cells of its own; a request holds at most one, and all
// cells of a slot belong to its holder. Engine thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "types.h"

namespace infernode {

class Backend;
class Request;

class SlotTable {
 public:
  explicit SlotTable(std::int32_t slots);

  std::int32_t size() const { return static_cast<std::int32_t>(holders_.size()); }
  std::int32_t free_slots() const { return free_slots_; }
  Request* holder(SequenceId slot) const;

  // Gives the request the lowest free slot: live ids stay dense, so that one
  // pass of llama.cpp carries them all. There must be a free one.
  void take(Request& request);
  // The request lets go; the caller has cleared the slot's cells.
  void release(Request& request);
  // The holder of `from` holds the free slot `to` from now on.
  void move(SequenceId from, SequenceId to);

  std::int64_t cells_used() const;

  // Proves that every cell the backend holds has an owner and every owner's
  // cells are there. Throws BrokenInvariant.
  void check(const Backend& backend) const;

 private:
  std::vector<Request*> holders_;
  std::int32_t free_slots_;
};

}  // namespace infernode
