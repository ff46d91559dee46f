#include "ledger.h"

#include <algorithm>

namespace infernode {

CellCounts Ledger::cells() const {
  CellCounts positions;
  for (SequenceId sequence = 0; sequence < sequences_.size(); ++sequence) {
    const bool held = sequences_.holder(sequence) != nullptr;
    (held ? positions.busy : positions.idle) += sequences_.length(sequence);
  }
  return store_.cells(positions);
}

std::int32_t Ledger::make_room(std::int32_t wanted) {
  while (store_.free_cells() < wanted) {
    const SequenceId oldest = sequences_.least_recently_used();
    if (oldest == kNoSequence) break;
    evict(oldest);
  }
  return std::clamp(store_.free_cells(), 0, wanted);
}

void Ledger::hold(Request& request, SequenceId sequence, bool findable) {
  INFERNODE_CHECK(sequence != kNoSequence, "a request gets a sequence and there is none");
  evict(sequence);
  sequences_.hold(sequence, request);
  store_.set_busy(sequence, true);
  if (findable) sequences_.index(request);
}

void Ledger::take_over(Request& request, SequenceId sequence, Position length, bool findable) {
  if (sequences_.length(sequence) - length >= kLeastTail) save(sequence);
  INFERNODE_CHECK(store_.truncate(sequence, length),
                  "a sequence cannot be truncated to its reusable prefix");
  sequences_.clear(sequence);
  hold(request, sequence, findable);
}

SequenceId Ledger::release(Request& request) {
  const SequenceId sequence = request.progress.sequence;
  sequences_.release(request);
  store_.set_busy(sequence, false);
  return sequence;
}

// Host memory keeps the prefix if it can.
void Ledger::evict(SequenceId sequence) {
  if (!sequences_.idle(sequence)) return;
  save(sequence);
  clear(sequence);
}

// Saves an idle prefix to host memory before it loses its sequence.
void Ledger::save(SequenceId sequence) {
  const std::vector<TokenId>& tokens = sequences_.tokens(sequence);
  const std::string& salt = sequences_.salt(sequence);
  ++evictions_;
  if (tokens.size() < static_cast<std::size_t>(kLeastTail)) return;
  if (limits_.can_truncate && host_.holds(tokens, salt)) return;
  // Where there is no room, it is lost.
  static_cast<void>(host_.keep(tokens, salt, store_.save(sequence, host_.room())));
}

bool Ledger::move(SlotMove move) {
  Request* request = sequences_.holder(move.from);
  INFERNODE_CHECK(request != nullptr && sequences_.holder(move.to) == nullptr,
                  "a move needs a holder and a free sequence");
  evict(move.to);
  const Position computed = request->progress.computed;
  if (computed > 0) {
    const StateBytes state = store_.save(move.from, kAnySize);
    if (state.empty() || !store_.restore(move.to, state, computed)) return false;
  }
  const bool findable = sequences_.indexed(move.from) > 0;
  sequences_.move(*request, move.to);
  store_.set_busy(move.to, true);
  store_.set_busy(move.from, false);
  clear(move.from);
  if (findable) sequences_.index(*request);
  return true;
}

void Ledger::abandon() noexcept {
  sequences_.abandon();
  for (SequenceId sequence = 0; sequence < sequences_.size(); ++sequence)
    store_.set_busy(sequence, false);
}

void Ledger::clear(Request& request) {
  if (!request.progress.has_sequence()) return;
  store_.clear(request.progress.sequence);
  request.progress.computed = 0;
}

void Ledger::clear(SequenceId sequence) {
  if (Request* request = sequences_.holder(sequence)) return clear(*request);
  store_.clear(sequence);
  sequences_.clear(sequence);
}

void Ledger::roll_back(SequenceId sequence, Position from) {
  if (!store_.truncate(sequence, from)) clear(sequence);
}

void Ledger::check(std::size_t saved) const {
  sequences_.check();
  for (SequenceId sequence = 0; sequence < sequences_.size(); ++sequence) {
    const Position owed = sequences_.length(sequence);
    const Position held = store_.resident(sequence);
    INFERNODE_CHECK(owed == held, "sequence " + std::to_string(sequence) + " holds " +
                                      std::to_string(held) + " cells, its ledger says " +
                                      std::to_string(owed));
    store_.check(sequence, sequences_.holder(sequence) != nullptr);
  }
  store_.check_cells();
  host_.check(saved);
}

}  // namespace infernode
