// The ledger's part on room: cells for passes, for states that are restored and for requests
// that wait. Idle prefixes are evicted for it; when those are gone, the engine preempts requests.
#include <algorithm>

#include "kv_cache.h"

namespace infernode {

namespace {

// Tokens each running request may grow by before the next one is let in, so that it
// need not be preempted at once.
constexpr std::int32_t kGrowth = 16;

}  // namespace

std::int32_t KvCache::room(std::int32_t wanted) {
  while (store_->free_cells() < wanted) {
    const SequenceId oldest = longest_unused(kNoSequence);
    if (oldest == kNoSequence) break;
    evict(oldest);
  }
  return std::clamp(store_->free_cells(), 0, wanted);
}

bool KvCache::fits(const Request& request) const {
  auto wanted = static_cast<std::int32_t>(request.progress.known.size()) + 1;
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    const Request* other = holder(sequence);
    if (other != nullptr) wanted += other->progress.gap() + kGrowth;
  }
  if (wanted <= store_->available_cells()) return true;
  if (!shares(request)) return false;
  const auto of_others = [&](PrefixTree::Source source, std::size_t matching) -> std::size_t {
    const Request* other = at(static_cast<SequenceId>(source)).holder;
    if (other == nullptr || request.progress.stage() == Stage::kSetAside) return 0;
    return std::min(matching, static_cast<std::size_t>(most_reusable(request)));
  };
  const std::string& salt = request.spec.params.cache_salt;
  wanted -=
      static_cast<std::int32_t>(prefixes_.match(request.progress.known, salt, of_others).length);
  return wanted <= store_->available_cells();
}

// What host memory has of the request's tokens, if there is room for it. Idle prefixes
// that make room go to host memory, which may lose others: then it is asked again.
bool KvCache::restore_kept(Request& request) {
  const auto find = [&] { return kept_prefix(request, computed_prefix(request).length); };
  const auto cells_of = [&](const PrefixTree::Match& kept) {
    return static_cast<std::int32_t>(host_.tokens(kept.source).size());
  };
  PrefixTree::Match kept = find();
  if (kept.source == PrefixTree::kNone) return false;
  if (store_->free_cells() < cells_of(kept)) {
    room(cells_of(kept));
    kept = find();
    if (kept.source == PrefixTree::kNone || store_->free_cells() < cells_of(kept)) return false;
  }
  return restore(request, kept);
}

// A saved state into an empty sequence, if there is room.
bool KvCache::put_back(SequenceId sequence, std::span<const std::uint8_t> state, Position cells) {
  return room(cells) >= cells && store_->restore(sequence, state, cells);
}

}  // namespace infernode
