// The ledger's part on states that cannot be cut: recurrent ones, and sliding
// windows whose older positions are gone. Such a state serves only those whose
// tokens go on exactly where it stands, so it is kept in host memory where that
// is to be expected: at the end of each prompt but what must be computed anew,
// and where the prompt parts from another one. Requests that wait for a common
// beginning make the older one stop there.
#include <algorithm>

#include "kv_cache.h"

namespace infernode {

namespace {

// Whether a stop leaves both pieces worth computing by themselves.
bool spaced(Position before, Position stop, Position after) {
  return stop - before >= kLeastGain && after - stop >= kLeastGain;
}

}  // namespace

// The end is a stop for everyone, cached or not, so that each prompt is computed
// in the same pieces.
void KvCache::plan_checkpoints(Request& request) {
  request.progress.checkpoints.clear();
  const Position end = most_reusable(request);
  if (end <= 0) return;
  if (shares(request) && config_.keeps_prefixes) {
    const auto any = [](PrefixTree::Source, std::size_t matching) { return matching; };
    const std::string& salt = request.spec.params.cache_salt;
    const std::size_t parting = std::max(prefixes_.match(request.progress.known, salt, any).length,
                                         host_.match(request.progress.known, salt, any).length);
    const auto stop = static_cast<Position>(parting);
    if (spaced(0, stop, end)) request.progress.checkpoints.push_back(stop);
  }
  request.progress.checkpoints.push_back(end);
  if (shares(request)) ask_older(request);
}

// Lets the older request that computes most of these tokens stop where they part.
void KvCache::ask_older(const Request& request) {
  Request* older = nullptr;
  const auto usable = [&](PrefixTree::Source source, std::size_t matching) -> std::size_t {
    const Request* other = at(static_cast<SequenceId>(source)).holder;
    if (other == nullptr || other->progress.paused ||
        (!other->progress.awaits() && other->progress.gap() <= 1))
      return 0;
    return std::min(matching, static_cast<std::size_t>(most_reusable(request)));
  };
  const PrefixTree::Match match =
      prefixes_.match(request.progress.known, request.spec.params.cache_salt, usable);
  if (match.source == PrefixTree::kNone) return;
  older = at(static_cast<SequenceId>(match.source)).holder;
  const auto stop = static_cast<Position>(match.length);
  std::vector<Position>& stops = older->progress.checkpoints;
  const auto after = std::ranges::lower_bound(stops, stop);
  if (after == stops.end()) return;
  const Position before = after == stops.begin() ? older->progress.computed : *(after - 1);
  if (spaced(before, stop, *after)) stops.insert(after, stop);
}

// Of the `matching` first tokens of both, how many another request is about to
// compute and leave where they can be had.
Position KvCache::coming(const Request& request, const Request* other, std::size_t matching) const {
  if (other == nullptr || other->progress.arrival >= request.progress.arrival ||
      other->progress.paused)
    return 0;
  if (!other->progress.awaits() && other->progress.gap() <= 1) return 0;
  const Position same = std::min(static_cast<Position>(matching), most_reusable(request));
  if (limits_.can_truncate) return same;
  const auto after = std::ranges::upper_bound(other->progress.checkpoints, same);
  return after == other->progress.checkpoints.begin() ? 0 : *(after - 1);
}

// Those behind, and those too near for the piece before them to be rounded as
// part of a longer one.
void KvCache::drop_checkpoints(Request& request) const {
  const Position least = config_.deterministic ? limits_.facts.wide_rows : 1;
  std::erase_if(request.progress.checkpoints,
                [&](Position stop) { return stop - request.progress.computed < least; });
}

void KvCache::reached(Request& request) {
  std::vector<Position>& stops = request.progress.checkpoints;
  if (stops.empty() || stops.front() > request.progress.computed) return;
  const bool here = stops.front() == request.progress.computed && keeps_here(request);
  std::erase_if(stops, [&](Position stop) { return stop <= request.progress.computed; });
  if (!here) return;
  const std::vector<TokenId> tokens(request.progress.known.begin(),
                                    request.progress.known.begin() + request.progress.computed);
  if (host_.holds(tokens, request.spec.params.cache_salt)) return;
  // Or it is lost.
  static_cast<void>(host_.keep(tokens, request.spec.params.cache_salt,
                               store_->save(request.progress.sequence, host_.room())));
}

// A prompt's end within the slack can be had by cutting when the answer is there.
bool KvCache::keeps_here(const Request& request) const {
  if (!shares(request) || !config_.keeps_prefixes || request.progress.computed < kLeastTail)
    return false;
  const std::int32_t most = request.spec.params.max_tokens;
  const bool last = request.progress.checkpoints.size() == 1;
  const bool wanted = !last || most <= 0 || most > limits_.slack;
  return wanted && pays(store_->transfer_ms(request.progress.computed), request.progress.computed);
}

// While its source goes on, a state that cannot be cut is gone before the fork
// has a place; so it waits as a preempted request does.
void KvCache::hand_over(const Request& source, Request& fork) {
  if (limits_.can_truncate || !shares(fork)) return;
  if (source.progress.has_place()) {
    if (source.progress.gap() > 1) return;  // a prompt that both can have at its end
    fork.progress.saved = store_->save(source.progress.sequence, host_.room());
    fork.progress.saved_length = source.progress.computed;
  } else if (source.progress.saved.size() <= host_.room()) {
    fork.progress.saved = source.progress.saved;
    fork.progress.saved_length = source.progress.saved_length;
  }
  if (fork.progress.saved.empty()) return;
  fork.progress.happened(StageEvent::kSave);
  host_.reserve(fork.progress.saved.size());
  fork.progress.cached_prompt_tokens =
      std::min(fork.progress.saved_length, fork.spec.prompt_tokens);
  totals_.prompt_tokens_cached += fork.progress.cached_prompt_tokens;
}

}  // namespace infernode
