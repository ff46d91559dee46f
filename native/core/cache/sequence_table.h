// Which request holds which of the backend's sequences, and the tokens of the sequences that no
// request holds: idle prefixes, kept for requests with the same prefix until their sequence is
// needed. A sequence is held, idle or empty. Bookkeeping only: this class never calls the backend.
// Engine thread only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/scheduling/request.h"
#include "core/types.h"
#include "prefix_forest.h"

namespace infernode {

constexpr Position kLeastTail = 32;  // tokens worth a sequence or a saved state of their own

class SequenceTable {
 public:
  explicit SequenceTable(std::int32_t sequences)
      : sequences_(static_cast<std::size_t>(sequences)) {}

  std::int32_t size() const { return static_cast<std::int32_t>(sequences_.size()); }
  std::int32_t held() const { return held_; }
  // nullptr: the sequence is idle or empty.
  Request* holder(SequenceId sequence) const { return at(sequence).holder; }
  [[nodiscard]] bool idle(SequenceId sequence) const {
    return holder(sequence) == nullptr && !at(sequence).tokens.empty();
  }
  // Positions that the backend should hold for the sequence.
  Position length(SequenceId sequence) const;
  // Of an idle sequence.
  const std::vector<TokenId>& tokens(SequenceId sequence) const { return at(sequence).tokens; }
  const std::string& salt(SequenceId sequence) const { return at(sequence).salt; }

  // The sequence for a new request: the lowest empty one, so that held ones stay dense, else the
  // least recently used idle one. kNoSequence: there is none but `spared`.
  SequenceId choose(SequenceId spared = kNoSequence) const;
  // Of the idle sequences but `spared`; kNoSequence: there is none.
  SequenceId least_recently_used(SequenceId spared = kNoSequence) const;

  // An empty sequence gets a holder.
  void hold(SequenceId sequence, Request& request);
  // The holder releases the sequence, whose state must then be kept or cleared.
  void release(Request& request);
  // The holder moves to an empty sequence, and the one it leaves must then be cleared.
  void move(Request& request, SequenceId to);
  // A released sequence keeps these tokens' state as an idle prefix.
  void keep(SequenceId sequence, std::vector<TokenId> tokens, const std::string& salt);
  // The sequence is empty.
  void clear(SequenceId sequence);
  // All sequences lose their holders. Checks nothing: the books may be what broke.
  void abandon() noexcept;

  // Throws BrokenInvariant where held() is not the number of holders, a holder knows another
  // sequence, or match() would find a sequence by other tokens than it has. Allocates nothing.
  void check() const;

  // Lets match() find a held sequence by the tokens its request knows by now.
  void index(const Request& request);
  // Tokens a sequence can be found by.
  std::size_t indexed(SequenceId sequence) const { return prefixes_.length(sequence); }
  // The sequence with the longest usable beginning in common with these tokens.
  PrefixTree::Match match(std::span<const TokenId> tokens, const std::string& salt,
                          const PrefixTree::Usable& usable) const {
    return prefixes_.match(tokens, salt, usable);
  }

 private:
  struct Sequence {
    Request* holder = nullptr;
    std::vector<TokenId> tokens;  // of an idle prefix
    std::string salt;
    std::uint64_t last_used = 0;
  };

  void check_indexed(SequenceId sequence) const;

  Sequence& at(SequenceId sequence) { return sequences_.at(static_cast<std::size_t>(sequence)); }
  const Sequence& at(SequenceId sequence) const {
    return sequences_.at(static_cast<std::size_t>(sequence));
  }

  std::vector<Sequence> sequences_;
  PrefixForest prefixes_;
  std::int32_t held_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace infernode
