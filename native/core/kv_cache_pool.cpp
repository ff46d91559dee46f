// The ledger's part on a pool of cells that all sequences share: who may take
// cells, and who gives them back. Requests that begin alike hold the same cells;
// idle prefixes hold theirs until somebody computes; when those are gone the
// engine sets a running request aside.
#include <algorithm>

#include "kv_cache.h"

namespace infernode {

namespace {

// Tokens each running request may grow by before the next one is let in, so that it
// need not leave at once.
constexpr std::int32_t kGrowth = 16;

}  // namespace

void KvCache::begin_step() {
  copied_from_ = kNoSequence;
  for (SequenceId sequence = 0; pool_ && sequence < size(); ++sequence) count_cells(sequence);
}

void KvCache::count_cells(SequenceId sequence) {
  if (pool_) pool_->resize(sequence, backend_.resident(sequence));
}

// Passes of this step took cells that the books do not know yet.
std::int32_t KvCache::free_cells() const {
  std::int32_t free = pool_->free();
  for (SequenceId sequence = 0; sequence < size(); ++sequence)
    free -= backend_.resident(sequence) - pool_->length(sequence);
  return free;
}

std::int32_t KvCache::room(std::int32_t wanted) {
  if (!pool_) return wanted;
  while (free_cells() < wanted) {
    const SequenceId oldest = longest_unused(kNoSequence);
    if (oldest == kNoSequence) break;
    evict(oldest);
  }
  return std::clamp(free_cells(), 0, wanted);
}

bool KvCache::fits(const Request& request) const {
  if (!pool_) return true;
  const auto of_others = [&](PrefixTree::Source source, std::size_t matching) -> std::size_t {
    const Request* other = at(static_cast<SequenceId>(source)).holder;
    if (other == nullptr || request.progress.stage() == Stage::kSetAside) return 0;
    return std::min(matching, static_cast<std::size_t>(most_reusable(request)));
  };
  auto wanted = static_cast<std::int32_t>(request.progress.known.size()) + 1;
  if (shares(request)) {
    const std::string& salt = request.spec.params.cache_salt;
    wanted -=
        static_cast<std::int32_t>(prefixes_.match(request.progress.known, salt, of_others).length);
  }
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    const Request* other = holder(sequence);
    if (other != nullptr) wanted += other->progress.gap() + kGrowth;
  }
  return wanted <= pool_->size() - pool_->busy();
}

bool KvCache::share_cells(SequenceId from, SequenceId to, Position length) {
  count_cells(from);
  backend_.share(from, to, length);
  pool_->share(from, to, length);
  ++totals_.copies;
  return true;
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
  if (pool_ && free_cells() < cells_of(kept)) {
    room(cells_of(kept));
    kept = find();
    if (kept.source == PrefixTree::kNone || free_cells() < cells_of(kept)) return false;
  }
  return restore(request, kept);
}

// A saved state into an empty sequence, if there is room.
bool KvCache::put_back(SequenceId sequence, std::span<const std::uint8_t> state, Position cells) {
  if (room(cells) < cells || !backend_.restore(sequence, state)) return false;
  count_cells(sequence);
  return true;
}

}  // namespace infernode
