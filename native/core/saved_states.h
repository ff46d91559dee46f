// States of preempted requests in host memory, so that they continue to the
// bit: llama.cpp's kernels round a row differently in a pass of many, so
// computing a prefix again may change a greedy text. Beyond its budget a
// request keeps only its tokens and is computed again.
// Engine thread only.
#pragma once

#include <cstddef>

#include "backend.h"
#include "request.h"
#include "scheduler.h"

namespace infernode {

class SavedStates {
 public:
  // The backend outlives this. `limit`: bytes above which nothing is saved.
  SavedStates(Backend& backend, std::size_t limit) : backend_(backend), limit_(limit) {}

  // Saves what the request has computed, if there is budget left.
  void keep(Request& request);
  // Restores it into the slot the request holds by now; `computed` says how
  // far. Does nothing for a request without a saved state.
  void give_back(Request& request);
  void drop(Request& request);

  // Through host memory: llama.cpp's own copy between streams moves the whole
  // stream and rebuilds every graph, this moves only the cells in use.
  bool move(SlotMove move);

 private:
  Backend& backend_;
  const std::size_t limit_;
  std::size_t bytes_ = 0;
};

}  // namespace infernode
