// Sequence states in host memory, under one budget in bytes: of preempted requests and forks, which
// must continue bit for bit (llama.cpp's kernels round a row differently in a pass of many, so
// computing it again may change a greedy text), and of evicted prefixes and checkpoints. The former
// stay until they are dropped; the latter are evicted when room is needed, the least recently used
// first. Engine thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/types.h"
#include "prefix_forest.h"

namespace infernode {

class HostTier {
 public:
  using Id = PrefixTree::Source;

  // `limit` in bytes. `can_truncate`: a restored state can be truncated, so
  // that a prefix of a kept one need not be kept.
  HostTier(std::size_t limit, bool can_truncate) : limit_(limit), can_truncate_(can_truncate) {}

  // Bytes a new state may have: all that states of preempted requests do not take.
  std::size_t room() const { return limit_ - saved_bytes_; }
  std::size_t bytes() const { return prefix_bytes_ + saved_bytes_; }

  // Counts the state of a preempted request, which owns the bytes itself, until it is dropped.
  void add_saved(std::size_t bytes);
  void drop_saved(std::size_t bytes) { saved_bytes_ -= bytes; }

  // Keeps the state of a prefix. False, and it is dropped, when it is larger than the room. Where
  // states can be truncated, shorter entries that it contains are dropped. When an allocation fails
  // meanwhile, all entries are dropped.
  [[nodiscard]] bool keep(std::vector<TokenId> tokens, const std::string& salt, StateBytes state);
  // Whether an entry has all of these tokens; where states cannot be truncated, these and no more.
  [[nodiscard]] bool holds(std::span<const TokenId> tokens, const std::string& salt) const;

  // The entry with the longest usable beginning in common with `prompt`.
  PrefixTree::Match match(std::span<const TokenId> prompt, const std::string& salt,
                          const PrefixTree::Usable& usable) const;
  const std::vector<TokenId>& tokens(Id id) const { return entries_.at(id).tokens; }
  const StateBytes& state(Id id) const { return entries_.at(id).state; }
  // The state of an entry, which counts as a use of it. `moved`: all of it will be in the KV cache
  // again, so that it is the first entry to evict.
  const StateBytes& use(Id id, bool moved);
  // Forgets an entry.
  void drop(Id id);

  // Throws BrokenInvariant where the counts are not the bytes of the entries and `saved`, the bytes
  // of the states that preempted requests own.
  void check(std::size_t saved) const;

 private:
  struct Entry {
    std::vector<TokenId> tokens;
    StateBytes state;
    std::uint64_t last_used = 0;
  };

  void make_room(std::size_t bytes);

  const std::size_t limit_;
  const bool can_truncate_;
  std::size_t saved_bytes_ = 0;
  std::size_t prefix_bytes_ = 0;
  std::map<Id, Entry> entries_;
  PrefixForest prefixes_;
  Id next_id_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace infernode
