#include "draft_sequences.h"

#include <algorithm>

namespace infernode {

DraftSequences::DraftSequences(Backend& backend)
    : backend_(backend),
      limits_(backend.limits()),
      sequences_(static_cast<std::size_t>(limits_.slots)) {}

std::size_t DraftSequences::most_drafted() const {
  return std::min(kMostDrafted, static_cast<std::size_t>(limits_.context_length) / 4);
}

std::size_t DraftSequences::lag(const DraftRequest& request) const {
  const Choice choice = choose(request, {});
  return request.known.size() - choice.skipped - choice.common;
}

// The last token is always computed again: the draft comes from its logits.
std::size_t DraftSequences::common_prefix(const Sequence& sequence,
                                          std::span<const TokenId> known) const {
  if (known.size() <= sequence.skipped + 1) return 0;
  const std::size_t most = std::min(sequence.tokens.size(), known.size() - sequence.skipped - 1);
  if (most == 0 || sequence.tokens.front() != known.front()) return 0;
  const auto text = known.subspan(sequence.skipped, most);
  const auto parts = std::mismatch(text.begin() + 1, text.end(), sequence.tokens.begin() + 1);
  return static_cast<std::size_t>(parts.first - text.begin());
}

// The request's own sequence, else the unowned one with the longest common prefix, else the least
// recently used one.
DraftSequences::Choice DraftSequences::choose(const DraftRequest& request,
                                              const std::vector<SequenceId>& taken) const {
  Choice choice;
  bool steals = true;
  for (SequenceId id = 0; id < limits_.slots; ++id) {
    const Sequence& sequence = at(id);
    const bool own = sequence.owned && sequence.owner == request.request;
    if (!own && std::ranges::find(taken, id) != taken.end()) continue;
    const std::size_t common = own || !sequence.owned ? common_prefix(sequence, request.known) : 0;
    if (own) {
      choice = {id, common > 0 ? sequence.skipped : 0, common};
      break;
    }
    const auto older = [&] { return sequence.last_used < at(choice.sequence).last_used; };
    const bool better = choice.sequence == kNoSequence || (steals && !sequence.owned) ||
                        (steals == sequence.owned &&
                         (common > choice.common || (common == choice.common && older())));
    if (!better) continue;
    choice = {id, common > 0 ? sequence.skipped : 0, common};
    steals = sequence.owned;
  }
  const std::size_t size = request.known.size() - choice.skipped;
  const auto context = static_cast<std::size_t>(limits_.context_length);
  if (size - choice.common <= kMostRead && size + most_drafted() <= context) return choice;
  const std::size_t tail = std::min({kTail, context / 2, request.known.size()});
  return {choice.sequence, request.known.size() - tail, 0};
}

std::vector<DraftSequences::Assigned> DraftSequences::assign(
    std::span<const DraftRequest> requests) {
  std::vector<SequenceId> taken;
  for (const DraftRequest& request : requests) {
    for (SequenceId id = 0; id < limits_.slots; ++id) {
      if (at(id).owned && at(id).owner == request.request) taken.push_back(id);
    }
  }
  std::vector<Assigned> assigned;
  for (const DraftRequest& request : requests) {
    const Choice choice = choose(request, taken);
    INFERNODE_CHECK(choice.sequence != kNoSequence,
                    "the draft model has fewer sequences than requests");
    taken.push_back(choice.sequence);
    Sequence& sequence = at(choice.sequence);
    truncate(choice.sequence, choice.common);
    sequence.owner = request.request;
    sequence.owned = true;
    sequence.skipped = choice.skipped;
    const auto text = request.known.subspan(choice.skipped);
    assigned.push_back({choice.sequence, {text.begin(), text.end()}});
    assigned.back().text.front() = request.known.front();
  }
  return assigned;
}

// A sliding window may have lost these positions: then the whole sequence is cleared.
void DraftSequences::truncate(SequenceId sequence, std::size_t length) {
  std::vector<TokenId>& tokens = at(sequence).tokens;
  if (!backend_.truncate(sequence, static_cast<Position>(length))) {
    INFERNODE_CHECK(backend_.truncate(sequence, 0),
                    "a sequence of the draft model cannot be emptied");
    length = 0;
  }
  tokens.resize(std::min(tokens.size(), length));
}

void DraftSequences::append(SequenceId sequence, std::span<const TokenId> tokens) {
  std::vector<TokenId>& computed = at(sequence).tokens;
  computed.insert(computed.end(), tokens.begin(), tokens.end());
}

void DraftSequences::release(RequestId request) {
  for (Sequence& sequence : sequences_) {
    if (sequence.owner == request) sequence.owned = false;
  }
}

void DraftSequences::check() const {
  for (SequenceId id = 0; id < limits_.slots; ++id) {
    const auto held = static_cast<std::size_t>(backend_.resident(id));
    INFERNODE_CHECK(held == at(id).tokens.size(),
                    "a sequence of the draft model has other positions than its books say");
  }
}

}  // namespace infernode
