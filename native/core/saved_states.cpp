#include "saved_states.h"

#include <cstdint>
#include <vector>

namespace infernode {

void SavedStates::keep(Request& request) {
  request.saved = backend_.save(request.sequence, limit_ - bytes_);
  request.saved_length = request.computed;
  bytes_ += request.saved.size();
}

void SavedStates::give_back(Request& request) {
  if (request.saved.empty()) return;
  if (backend_.restore(request.sequence, request.saved)) request.computed = request.saved_length;
  drop(request);
}

void SavedStates::drop(Request& request) {
  bytes_ -= request.saved.size();
  request.saved = {};
}

bool SavedStates::move(SlotMove move) {
  const std::vector<std::uint8_t> state = backend_.save(move.from, limit_ - bytes_);
  if (state.empty() || !backend_.restore(move.to, state)) return false;
  backend_.truncate(move.from, 0);
  return true;
}

}  // namespace infernode
