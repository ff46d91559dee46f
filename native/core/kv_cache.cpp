#include "kv_cache.h"

#include <algorithm>
#include <utility>

#include "pool_store.h"
#include "stream_store.h"

namespace infernode {

namespace {

constexpr Position kLeastReuse = 8;  // tokens worth looking at

std::unique_ptr<KvStore> make_store(Backend& backend, KvStore::Clock clock) {
  if (backend.limits().unified) return std::make_unique<PoolStore>(backend, std::move(clock));
  return std::make_unique<StreamStore>(backend, std::move(clock));
}

}  // namespace

KvCache::KvCache(Backend& backend, CacheConfig config, Clock clock)
    : limits_(backend.limits()),
      config_(config),
      store_(make_store(backend, std::move(clock))),
      host_(config.host_limit, limits_.can_truncate),
      sequences_(static_cast<std::size_t>(limits_.slots + limits_.idle_sequences)) {}

Position KvCache::length(SequenceId sequence) const {
  const Sequence& held = at(sequence);
  return held.holder != nullptr ? held.holder->progress.computed
                                : static_cast<Position>(held.tokens.size());
}

bool KvCache::shares(const Request& request) const {
  return request.spec.params.cache && (config_.keeps_prefixes || request.spec.params.siblings);
}

// One row at least must be computed for its logits; exactly computed ones must
// be as many as round alike.
Position KvCache::most_reusable(const Request& request) const {
  const auto known = static_cast<Position>(request.progress.known.size());
  const bool wide = config_.deterministic && known >= limits_.facts.wide_rows;
  return known - (wide ? limits_.facts.wide_rows : 1);
}

// Of the `matching` first tokens of a source, how many can be had from it now.
Position KvCache::reusable(const Request& request, SequenceId source, std::size_t matching) const {
  if (source == request.progress.sequence) return 0;
  const Request* holder = at(source).holder;
  Position there = length(source);
  if (config_.deterministic && holder != nullptr)
    there = std::min(there, holder->spec.prompt_tokens);
  const Position most = std::min(there, most_reusable(request));
  Position same = std::min(static_cast<Position>(matching), most);
  if (holder != nullptr && matching == prefixes_.length(source)) {
    const auto equal = [&](Position at) {
      const auto index = static_cast<std::size_t>(at);
      return holder->progress.known[index] == request.progress.known[index];
    };
    while (same < most && equal(same)) ++same;  // what it has generated since
  }
  same = store_->reusable(source, same);
  // Another's state is copied, which takes it as it is.
  if (!limits_.can_truncate && holder != nullptr && same != length(source)) return 0;
  return same < kLeastReuse ? 0 : same;
}

KvCache::Prefix KvCache::computed_prefix(const Request& request) const {
  const auto usable = [&](PrefixTree::Source source, std::size_t matching) {
    return static_cast<std::size_t>(reusable(request, static_cast<SequenceId>(source), matching));
  };
  const PrefixTree::Match match =
      prefixes_.match(request.progress.known, request.spec.params.cache_salt, usable);
  if (match.source == PrefixTree::kNone) return {};
  return {static_cast<SequenceId>(match.source), static_cast<Position>(match.length)};
}

// True when an older request is about to compute more of these tokens than is
// there. Prompts are computed in order of arrival, so nobody waits longer than
// computing would take.
bool KvCache::worth_waiting(const Request& request, Position computed) const {
  // The older one would not run: whoever is isolated runs alone.
  if (request.progress.isolated) return false;
  const auto usable = [&](PrefixTree::Source source, std::size_t matching) {
    const Request* other = at(static_cast<SequenceId>(source)).holder;
    return static_cast<std::size_t>(coming(request, other, matching));
  };
  const PrefixTree::Match match =
      prefixes_.match(request.progress.known, request.spec.params.cache_salt, usable);
  return static_cast<Position>(match.length) >= computed + kLeastGain;
}

// Whether so many milliseconds are less than computing `gain` tokens takes.
bool KvCache::pays(double cost_ms, Position gain) const {
  return row_ms_ <= 0 || cost_ms <= gain * row_ms_;
}

void KvCache::seat(Request& request) {
  if (request.progress.stage() == Stage::kSetAside) return seat_restored(request);
  if (!limits_.can_truncate) plan_checkpoints(request);
  if (!shares(request)) return hold(request, choose_place(kNoSequence));
  const Prefix prefix = computed_prefix(request);
  const PrefixTree::Match kept = kept_prefix(request, prefix.length);
  const bool elsewhere = kept.source != PrefixTree::kNone;
  SequenceId place = choose_place(prefix.source);
  if (worth_waiting(request, elsewhere ? static_cast<Position>(kept.length) : prefix.length)) {
    hold(request, place != kNoSequence ? place : prefix.source);
    request.progress.happened(StageEvent::kAwait);
    return;
  }
  const bool idle = prefix.length > 0 && at(prefix.source).holder == nullptr;
  const bool whole =
      idle && limits_.can_truncate && length(prefix.source) - prefix.length >= kLeastTail;
  if (!elsewhere && (place == kNoSequence || (idle && !whole))) return take_over(request, prefix);
  hold(request, place != kNoSequence ? place : prefix.source);
  fill(request);
}

// The lowest empty sequence, so that running ones stay dense; else the one
// longest unused. kNoSequence: there is none but the spared one.
SequenceId KvCache::choose_place(SequenceId spared) const {
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    if (at(sequence).holder == nullptr && at(sequence).tokens.empty()) return sequence;
  }
  return longest_unused(spared);
}

// Of the prefixes nobody computes with.
SequenceId KvCache::longest_unused(SequenceId spared) const {
  SequenceId oldest = kNoSequence;
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    const Sequence& kept = at(sequence);
    if (sequence == spared || kept.holder != nullptr || kept.tokens.empty()) continue;
    if (oldest == kNoSequence || kept.last_used < at(oldest).last_used) oldest = sequence;
  }
  return oldest;
}

void KvCache::hold(Request& request, SequenceId sequence) {
  INFERNODE_CHECK(sequence != kNoSequence && at(sequence).holder == nullptr,
                  "a request is seated and there is no place");
  evict(sequence);
  at(sequence).holder = &request;
  request.progress.take_place(sequence);
  ++running_;
  store_->set_busy(sequence, true);
  if (shares(request))
    prefixes_.put(sequence, request.spec.params.cache_salt, request.progress.known);
}

void KvCache::seat_restored(Request& request) {
  hold(request, choose_place(kNoSequence));
  if (put_back(request.progress.sequence, request.progress.saved, request.progress.saved_length))
    request.progress.computed = request.progress.saved_length;
  forget(request);
}

// The request goes on where an ended one stopped, in its sequence.
void KvCache::take_over(Request& request, Prefix prefix) {
  if (length(prefix.source) - prefix.length >= kLeastTail) preserve(prefix.source);
  INFERNODE_CHECK(store_->truncate(prefix.source, prefix.length), "a reusable prefix is not");
  at(prefix.source).tokens.clear();
  hold(request, prefix.source);
  reuse(request, prefix.length);
}

// Brings what is known of a seated request's tokens into its empty sequence.
void KvCache::fill(Request& request) {
  if (request.progress.awaits()) request.progress.happened(StageEvent::kGoOn);
  if (restore_kept(request)) return;
  const Prefix prefix = computed_prefix(request);
  if (prefix.length == 0) return;
  if (!pays(store_->copy_ms(length(prefix.source)), prefix.length)) return;
  if (!store_->copy(prefix.source, request.progress.sequence, prefix.length)) return;
  ++totals_.copies;
  reuse(request, prefix.length);
}

void KvCache::reuse(Request& request, Position length) {
  request.reuse(length);
  drop_checkpoints(request);
  totals_.prompt_tokens_cached += length;
}

// What host memory has of the request's tokens, if that is enough more than
// the `computed` in the cache to be worth its price.
PrefixTree::Match KvCache::kept_prefix(const Request& request, Position computed) const {
  const auto most = static_cast<std::size_t>(most_reusable(request));
  const auto usable = [&](PrefixTree::Source id, std::size_t matching) -> std::size_t {
    if (limits_.can_truncate) return std::min(matching, most);
    if (matching != host_.tokens(id).size()) return 0;
    const bool near = matching <= most + static_cast<std::size_t>(std::min(limits_.slack, 1));
    return near ? std::min(matching, most) : 0;
  };
  const PrefixTree::Match match =
      host_.match(request.progress.known, request.spec.params.cache_salt, usable);
  const Position gain = static_cast<Position>(match.length) - computed;
  if (match.source == PrefixTree::kNone || gain < kLeastGain) return {};
  const auto whole = static_cast<Position>(host_.tokens(match.source).size());
  return pays(store_->transfer_ms(whole), gain) ? match : PrefixTree::Match{};
}

bool KvCache::restore(Request& request, PrefixTree::Match kept) {
  const double started = store_->now();
  const auto cells = static_cast<Position>(host_.tokens(kept.source).size());
  const bool moved = cells - static_cast<Position>(kept.length) < kLeastTail;
  const StateBytes& state = host_.use(kept.source, moved);
  if (!store_->restore(request.progress.sequence, state, cells)) {
    host_.drop(kept.source);  // nobody else need try it
    return false;
  }
  const Position length =
      store_->reusable(request.progress.sequence, static_cast<Position>(kept.length));
  if (length == 0 || !store_->truncate(request.progress.sequence, length)) {
    store_->clear(request.progress.sequence);
    return false;
  }
  store_->transferred(cells, started);
  ++totals_.host_restores;
  reuse(request, length);
  return true;
}

void KvCache::settle_awaiting() {
  for (Sequence& sequence : sequences_) {
    Request* request = sequence.holder;
    if (request == nullptr || !request->progress.awaits()) continue;
    const Position computed = computed_prefix(*request).length;
    const auto kept = static_cast<Position>(kept_prefix(*request, computed).length);
    if (!worth_waiting(*request, std::max(computed, kept))) fill(*request);
  }
}

void KvCache::let_go(Request& request) {
  INFERNODE_CHECK(holder(request.progress.sequence) == &request,
                  "a request leaves a place it has not");
  at(request.progress.sequence).holder = nullptr;
  --running_;
  store_->set_busy(request.progress.sequence, false);
  request.progress.leave_place();
}

void KvCache::leave(Request& request, bool keep_computed) {
  const SequenceId sequence = request.progress.sequence;
  Position kept = keep_computed && shares(request) ? request.progress.computed : 0;
  if (config_.deterministic) kept = std::min(kept, request.spec.prompt_tokens);
  if (kept < kLeastReuse || !store_->truncate(sequence, kept)) kept = 0;
  std::vector<TokenId> tokens(request.progress.known.begin(),
                              request.progress.known.begin() + kept);
  let_go(request);
  if (tokens.empty() || redundant(request, tokens)) return empty(sequence);
  drop_contained(request, tokens);
  prefixes_.put(sequence, request.spec.params.cache_salt, tokens);
  at(sequence) = {nullptr, std::move(tokens), request.spec.params.cache_salt, ++uses_};
}

// Whether another sequence has all of these tokens.
bool KvCache::redundant(const Request& request, std::span<const TokenId> tokens) const {
  if (!limits_.can_truncate) return false;
  const SequenceId own = request.progress.sequence;
  const auto there = [&](PrefixTree::Source source, std::size_t matching) -> std::size_t {
    const auto other = static_cast<SequenceId>(source);
    return other == own ? 0 : std::min(matching, static_cast<std::size_t>(length(other)));
  };
  return prefixes_.match(tokens, request.spec.params.cache_salt, there).length == tokens.size();
}

// Empties the unheld sequences that hold a beginning of these tokens and no
// more.
void KvCache::drop_contained(const Request& request, std::span<const TokenId> tokens) {
  const auto contained = [&](PrefixTree::Source source, std::size_t matching) {
    const Sequence& other = at(static_cast<SequenceId>(source));
    return other.holder == nullptr && other.tokens.size() == matching ? matching : 0;
  };
  while (limits_.can_truncate) {
    const PrefixTree::Match match =
        prefixes_.match(tokens, request.spec.params.cache_salt, contained);
    if (match.source == PrefixTree::kNone) return;
    empty(static_cast<SequenceId>(match.source));
  }
}

void KvCache::set_aside(Request& request) {
  if (request.progress.computed > 0) {
    request.progress.saved = store_->save(request.progress.sequence, host_.room());
    request.progress.saved_length = request.progress.computed;
    host_.reserve(request.progress.saved.size());
  }
  const SequenceId sequence = request.progress.sequence;
  let_go(request);
  if (!request.progress.saved.empty()) request.progress.happened(StageEvent::kSave);
  empty(sequence);
}

void KvCache::clear(Request& request) {
  if (!request.progress.has_place()) return;
  store_->clear(request.progress.sequence);
  request.progress.computed = 0;
}

void KvCache::forget(Request& request) {
  host_.release(request.progress.saved.size());
  request.progress.saved = {};
}

// Gives an unheld prefix's place away; host memory keeps it if it can.
void KvCache::evict(SequenceId sequence) {
  if (at(sequence).tokens.empty()) return;
  preserve(sequence);
  empty(sequence);
}

void KvCache::preserve(SequenceId sequence) {
  const Sequence& evicted = at(sequence);
  ++totals_.evictions;
  if (evicted.tokens.size() < static_cast<std::size_t>(kLeastTail)) return;
  if (limits_.can_truncate && host_.holds(evicted.tokens, evicted.salt)) return;
  // Or it is lost.
  static_cast<void>(host_.keep(evicted.tokens, evicted.salt, store_->save(sequence, host_.room())));
}

void KvCache::empty(SequenceId sequence) {
  store_->clear(sequence);
  prefixes_.remove(sequence);
  at(sequence) = {};
}

bool KvCache::move(SlotMove move) {
  Request* request = holder(move.from);
  INFERNODE_CHECK(request != nullptr && holder(move.to) == nullptr,
                  "a move needs a holder and a free place");
  evict(move.to);
  if (request->progress.computed > 0) {
    const StateBytes state = store_->save(move.from, kAnySize);
    if (state.empty() || !store_->restore(move.to, state, request->progress.computed)) return false;
  }
  at(move.to).holder = request;
  request->progress.sequence = move.to;
  at(move.from).holder = nullptr;
  empty(move.from);
  if (shares(*request))
    prefixes_.put(move.to, request->spec.params.cache_salt, request->progress.known);
  return true;
}

}  // namespace infernode
