#include "sequence_table.h"

#include <string>
#include <utility>

namespace infernode {

Position SequenceTable::length(SequenceId sequence) const {
  const Request* request = holder(sequence);
  return request != nullptr ? request->progress.computed
                            : static_cast<Position>(at(sequence).tokens.size());
}

SequenceId SequenceTable::choose(SequenceId spared) const {
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    if (holder(sequence) == nullptr && !idle(sequence)) return sequence;
  }
  return least_recently_used(spared);
}

SequenceId SequenceTable::least_recently_used(SequenceId spared) const {
  SequenceId oldest = kNoSequence;
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    if (sequence == spared || !idle(sequence)) continue;
    if (oldest == kNoSequence || at(sequence).last_used < at(oldest).last_used) oldest = sequence;
  }
  return oldest;
}

void SequenceTable::hold(SequenceId sequence, Request& request) {
  INFERNODE_CHECK(holder(sequence) == nullptr && !idle(sequence),
                  "a request is given a sequence that is not empty");
  at(sequence).holder = &request;
  request.progress.take_sequence(sequence);
  ++held_;
}

void SequenceTable::release(Request& request) {
  const SequenceId sequence = request.progress.sequence;
  INFERNODE_CHECK(holder(sequence) == &request, "a request releases a sequence it does not hold");
  at(sequence).holder = nullptr;
  --held_;
  request.progress.release_sequence();
}

void SequenceTable::move(Request& request, SequenceId to) {
  at(request.progress.sequence).holder = nullptr;
  at(to).holder = &request;
  request.progress.sequence = to;
}

void SequenceTable::keep(SequenceId sequence, std::vector<TokenId> tokens,
                         const std::string& salt) {
  prefixes_.put(sequence, salt, tokens);
  at(sequence) = {nullptr, std::move(tokens), salt, ++uses_};
}

void SequenceTable::clear(SequenceId sequence) {
  prefixes_.remove(sequence);
  at(sequence) = {};
}

void SequenceTable::abandon() noexcept {
  for (Sequence& sequence : sequences_) {
    Request* request = std::exchange(sequence.holder, nullptr);
    if (request != nullptr) request->progress.forget_sequence();
  }
  held_ = 0;
}

void SequenceTable::check() const {
  std::int32_t holders = 0;
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    const Request* request = holder(sequence);
    holders += request != nullptr ? 1 : 0;
    INFERNODE_CHECK(request == nullptr || request->progress.sequence == sequence,
                    "the holder of sequence " + std::to_string(sequence) + " knows another one");
    check_indexed(sequence);
  }
  INFERNODE_CHECK(holders == held_, std::to_string(holders) +
                                        " requests hold sequences, the table counts " +
                                        std::to_string(held_));
}

// An idle sequence is found by all its tokens, a held one by as many as its request knew when it
// was indexed, an empty one by none.
void SequenceTable::check_indexed(SequenceId sequence) const {
  const Request* request = holder(sequence);
  const std::span<const TokenId> tokens = request != nullptr
                                              ? std::span<const TokenId>(request->progress.known)
                                              : std::span<const TokenId>(this->tokens(sequence));
  const std::size_t indexed = request != nullptr ? this->indexed(sequence) : tokens.size();
  const std::string& salt =
      request != nullptr ? request->spec.params.cache_salt : at(sequence).salt;
  INFERNODE_CHECK(indexed <= tokens.size() && prefixes_.has(sequence, salt, tokens.first(indexed)),
                  "sequence " + std::to_string(sequence) + " is found by other tokens than it has");
}

void SequenceTable::index(const Request& request) {
  prefixes_.put(request.progress.sequence, request.spec.params.cache_salt, request.progress.known);
}

}  // namespace infernode
