#include "kv_cache.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "pool_store.h"
#include "stream_store.h"

namespace infernode {

namespace {

// Tokens each running request may grow by before the next one gets a sequence, so that it need not
// be preempted at once.
constexpr std::int32_t kGrowth = 16;

std::unique_ptr<KvStore> make_store(Backend& backend, KvStore::Clock clock) {
  if (backend.limits().unified) return std::make_unique<PoolStore>(backend, std::move(clock));
  return std::make_unique<StreamStore>(backend, std::move(clock));
}

}  // namespace

KvCache::KvCache(Backend& backend, CacheConfig config, Clock clock)
    : limits_(backend.limits()),
      store_(make_store(backend, std::move(clock))),
      host_(config.host_limit, limits_.can_truncate),
      ledger_(limits_, *store_, host_),
      reuse_(limits_, config, {sequences(), host_, *store_}),
      checkpoints_(limits_, {sequences(), reuse_, *store_, host_}) {}

bool KvCache::fits(const Request& request) const {
  auto wanted = static_cast<std::int32_t>(request.progress.known.size()) + 1;
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    const Request* other = holder(sequence);
    if (other != nullptr) wanted += other->progress.gap() + kGrowth;
  }
  const std::int32_t available = store_->available_cells();
  return wanted <= available || wanted - reuse_.common_with_running(request) <= available;
}

void KvCache::seat(Request& request) {
  if (request.progress.stage() == Stage::kSwapped) return swap_in(request);
  checkpoints_.plan(request);
  if (!reuse_.shares(request)) return hold(request, sequences().choose());
  const PrefixReuse::Prefix prefix = reuse_.in_sequences(request);
  const auto saved = static_cast<Position>(reuse_.in_host_memory(request, prefix.length).length);
  SequenceId sequence = sequences().choose(prefix.source);
  const bool alone = sequence == kNoSequence;  // the prefix is the only idle sequence
  if (alone) sequence = prefix.source;
  if (reuse_.worth_awaiting(request, std::max(prefix.length, saved))) {
    hold(request, sequence);
    request.progress.advance(StageEvent::kAwait);
    return;
  }
  if (saved == 0 && (alone || worth_taking_over(prefix))) return take_over(request, prefix);
  hold(request, sequence);
  fill(request);
}

// If there are too few free cells for the saved state, its tokens are computed again.
void KvCache::swap_in(Request& request) {
  hold(request, sequences().choose());
  const Progress& progress = request.progress;
  const Position length = progress.saved_length;
  if (make_room(length) >= length && store_->restore(progress.sequence, progress.saved, length))
    request.progress.computed = length;
  drop_saved(request);
}

// Whether no request holds the prefix's sequence, and what it has beyond the prefix is too short to
// be worth keeping for another request.
bool KvCache::worth_taking_over(const PrefixReuse::Prefix& prefix) const {
  if (prefix.length == 0 || holder(prefix.source) != nullptr) return false;
  return !limits_.can_truncate || length(prefix.source) - prefix.length < kLeastTail;
}

// The request continues in the idle sequence of an ended one.
void KvCache::take_over(Request& request, const PrefixReuse::Prefix& prefix) {
  ledger_.take_over(request, prefix.source, prefix.length, reuse_.shares(request));
  reuse(request, prefix.length);
}

void KvCache::hold(Request& request, SequenceId sequence) {
  ledger_.hold(request, sequence, reuse_.shares(request));
}

// Restores or copies a request's prefix into its empty sequence.
void KvCache::fill(Request& request) {
  if (request.progress.awaits()) request.progress.advance(StageEvent::kResume);
  const PrefixTree::Match saved = restorable(request);
  if (saved.source != PrefixTree::kNone && restore(request, saved)) return;
  const PrefixReuse::Prefix prefix = reuse_.in_sequences(request);
  if (prefix.length == 0) return;
  if (!reuse_.pays(store_->copy_ms(length(prefix.source)), prefix.length)) return;
  if (!store_->copy(prefix.source, request.progress.sequence, prefix.length)) return;
  ++totals_.copies;
  reuse(request, prefix.length);
}

void KvCache::reuse(Request& request, Position length) {
  request.reuse(length);
  checkpoints_.drop_passed(request);
  totals_.prompt_tokens_cached += length;
}

// The entry of host memory to restore, if there are cells for it. Idle prefixes evicted for it go
// to host memory, where they may displace it: then it is looked for again.
PrefixTree::Match KvCache::restorable(const Request& request) {
  const auto find = [&] {
    return reuse_.in_host_memory(request, reuse_.in_sequences(request).length);
  };
  const auto finds_room = [&](const PrefixTree::Match& saved) {
    return store_->free_cells() >= static_cast<Position>(host_.tokens(saved.source).size());
  };
  PrefixTree::Match saved = find();
  if (saved.source == PrefixTree::kNone || finds_room(saved)) return saved;
  make_room(static_cast<Position>(host_.tokens(saved.source).size()));
  saved = find();
  return saved.source != PrefixTree::kNone && finds_room(saved) ? saved : PrefixTree::Match{};
}

bool KvCache::restore(Request& request, PrefixTree::Match saved) {
  const double started = store_->now();
  const SequenceId sequence = request.progress.sequence;
  const auto cells = static_cast<Position>(host_.tokens(saved.source).size());
  const auto wanted = static_cast<Position>(saved.length);
  if (!store_->restore(sequence, host_.use(saved.source, cells - wanted < kLeastTail), cells)) {
    host_.drop(saved.source);  // no request need try it again
    return false;
  }
  const Position length = store_->reusable(sequence, wanted);
  if (length == 0 || !store_->truncate(sequence, length)) {
    store_->clear(sequence);
    return false;
  }
  store_->transferred(cells, started);
  ++totals_.host_restores;
  reuse(request, length);
  return true;
}

void KvCache::resume_awaiting() {
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    Request* request = holder(sequence);
    if (request == nullptr || !request->progress.awaits()) continue;
    const Position computed = reuse_.in_sequences(*request).length;
    const auto saved = static_cast<Position>(reuse_.in_host_memory(*request, computed).length);
    if (!reuse_.worth_awaiting(*request, std::max(computed, saved))) fill(*request);
  }
}

void KvCache::copy_to_fork(const Request& source, Request& fork) {
  if (checkpoints_.copy_to_fork(source, fork))
    totals_.prompt_tokens_cached += fork.progress.cached_prompt_tokens;
}

void KvCache::release(Request& request, bool keep) {
  Position kept = keep ? reuse_.worth_keeping(request) : 0;
  if (kept > 0 && !store_->truncate(request.progress.sequence, kept)) kept = 0;
  std::vector<TokenId> tokens(request.progress.known.begin(),
                              request.progress.known.begin() + kept);
  const SequenceId sequence = ledger_.release(request);
  const std::string& salt = request.spec.params.cache_salt;
  if (tokens.empty() || reuse_.held(tokens, salt)) return ledger_.clear(sequence);
  for (SequenceId other = reuse_.contained(tokens, salt); other != kNoSequence;
       other = reuse_.contained(tokens, salt))
    ledger_.clear(other);
  ledger_.keep(sequence, std::move(tokens), salt);
}

void KvCache::preempt(Request& request) {
  Progress& progress = request.progress;
  if (progress.computed > 0) {
    progress.saved = store_->save(progress.sequence, host_.room());
    progress.saved_length = progress.computed;
    host_.add_saved(progress.saved.size());
  }
  const SequenceId sequence = ledger_.release(request);
  if (!progress.saved.empty()) progress.advance(StageEvent::kSwapOut);
  ledger_.clear(sequence);
}

void KvCache::drop_saved(Request& request) {
  host_.drop_saved(request.progress.saved.size());
  request.progress.saved = {};
}

CachedState KvCache::export_state(Request& request) {
  const Progress& progress = request.progress;
  const auto prompt = std::span<const TokenId>(progress.known)
                          .first(static_cast<std::size_t>(request.spec.prompt_tokens));
  const std::string& salt = request.spec.params.cache_salt;
  if (limits_.can_truncate) {
    const SequenceId longer = reuse_.idle_with(prompt, salt);
    CachedState state;
    if (longer != kNoSequence) state = {sequences().tokens(longer), store_->save(longer, kAnySize)};
    if (!state.state.empty()) return state;
  } else {
    CachedState state = checkpoints_.nearest(prompt, salt);
    if (!state.state.empty()) return state;
  }
  // Behind the computed positions may be draft tokens.
  if (!store_->truncate(progress.sequence, progress.computed)) return {};
  return {{progress.known.begin(), progress.known.begin() + progress.computed},
          store_->save(progress.sequence, kAnySize)};
}

StateImport KvCache::import_state(CachedState state, const std::string& salt) {
  const auto length = static_cast<Position>(state.tokens.size());
  if (!store_->has_form(state.state, length)) return StateImport::kMalformed;
  if (state.state.size() > host_.room()) return StateImport::kNoRoom;
  const bool kept = host_.keep(std::move(state.tokens), salt, std::move(state.state));
  return kept ? StateImport::kKept : StateImport::kNoRoom;
}

CacheStats KvCache::stats() const {
  const CellCounts cells = ledger_.cells();
  CacheStats stats = totals_;
  stats.cells_used = cells.busy;
  stats.cells_cached = cells.idle;
  stats.evictions = ledger_.evictions();
  stats.host_bytes = static_cast<std::int64_t>(host_.bytes());
  return stats;
}

}  // namespace infernode
