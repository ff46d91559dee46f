#include "checkpoints.h"

#include <algorithm>
#include <vector>

namespace infernode {

namespace {

// Whether a stop leaves both pieces worth computing by themselves.
bool spaced(Position before, Position stop, Position after) {
  return stop - before >= kLeastGain && after - stop >= kLeastGain;
}

}  // namespace

// Every prompt has a checkpoint at its end, whether or not the state is cached, so that a prompt is
// always computed in the same pieces.
void Checkpoints::plan(Request& request) const {
  if (limits_.can_truncate) return;
  std::vector<Position>& stops = request.progress.checkpoints;
  stops.clear();
  const Position end = parts_.reuse.last_piece(request);
  if (end <= 0) return;
  if (parts_.reuse.keeps(request)) {
    const auto any = [](PrefixTree::Source, std::size_t matching) { return matching; };
    const std::string& salt = request.spec.params.cache_salt;
    const std::size_t parting =
        std::max(parts_.sequences.match(request.progress.known, salt, any).length,
                 parts_.host.match(request.progress.known, salt, any).length);
    const auto stop = static_cast<Position>(parting);
    if (spaced(0, stop, end)) stops.push_back(stop);
  }
  stops.push_back(end);
  if (parts_.reuse.shares(request)) add_to_older(request);
}

// Lets the older request that computes most of these tokens stop where they part.
void Checkpoints::add_to_older(const Request& request) const {
  const auto usable = [&](PrefixTree::Source source, std::size_t matching) -> std::size_t {
    const Request* other = parts_.sequences.holder(static_cast<SequenceId>(source));
    if (other == nullptr || !other->progress.will_prefill()) return 0;
    return std::min(matching, static_cast<std::size_t>(parts_.reuse.most_reusable(request)));
  };
  const PrefixTree::Match match =
      parts_.sequences.match(request.progress.known, request.spec.params.cache_salt, usable);
  if (match.source == PrefixTree::kNone) return;
  Request* older = parts_.sequences.holder(static_cast<SequenceId>(match.source));
  const auto stop = static_cast<Position>(match.length);
  std::vector<Position>& stops = older->progress.checkpoints;
  const auto after = std::ranges::lower_bound(stops, stop);
  if (after == stops.end()) return;
  const Position before = after == stops.begin() ? older->progress.computed : *(after - 1);
  if (spaced(before, stop, *after)) stops.insert(after, stop);
}

void Checkpoints::drop_passed(Request& request) const {
  std::erase_if(request.progress.checkpoints, [&](Position stop) {
    return stop - request.progress.computed < parts_.reuse.least_piece();
  });
}

void Checkpoints::reached(Request& request) const {
  const Progress& progress = request.progress;
  std::vector<Position>& stops = request.progress.checkpoints;
  if (stops.empty() || stops.front() > progress.computed) return;
  const bool saves = stops.front() == progress.computed && worth_saving(request);
  std::erase_if(stops, [&](Position stop) { return stop <= progress.computed; });
  if (!saves) return;
  const std::vector<TokenId> tokens(progress.known.begin(),
                                    progress.known.begin() + progress.computed);
  const std::string& salt = request.spec.params.cache_salt;
  if (parts_.host.holds(tokens, salt)) return;
  // Where there is no room, it is lost.
  static_cast<void>(
      parts_.host.keep(tokens, salt, parts_.store.save(progress.sequence, parts_.host.room())));
}

// A window can be truncated to the end of a prompt whose answer is shorter than its slack.
bool Checkpoints::worth_saving(const Request& request) const {
  const Position computed = request.progress.computed;
  if (!parts_.reuse.keeps(request) || computed < kLeastTail) return false;
  const std::int32_t answer = request.spec.params.max_tokens;
  const bool last = request.progress.checkpoints.size() == 1;
  const bool wanted = !last || answer <= 0 || answer > limits_.slack;
  return wanted && parts_.reuse.pays(parts_.store.transfer_ms(computed), computed);
}

bool Checkpoints::copy_to_fork(const Request& source, Request& fork) const {
  if (limits_.can_truncate || !parts_.reuse.shares(fork)) return false;
  if (source.progress.has_sequence()) {
    if (source.progress.gap() > 1) return false;  // both can have the prompt's state at its end
    fork.progress.saved = parts_.store.save(source.progress.sequence, parts_.host.room());
    fork.progress.saved_length = source.progress.computed;
  } else if (source.progress.saved.size() <= parts_.host.room()) {
    fork.progress.saved = source.progress.saved;
    fork.progress.saved_length = source.progress.saved_length;
  }
  if (fork.progress.saved.empty()) return false;
  fork.progress.advance(StageEvent::kSwapOut);
  parts_.host.add_saved(fork.progress.saved.size());
  fork.progress.cached_prompt_tokens =
      std::min(fork.progress.saved_length, fork.spec.prompt_tokens);
  return true;
}

CachedState Checkpoints::nearest(std::span<const TokenId> prompt, const std::string& salt) const {
  const std::size_t least =
      prompt.size() - std::min(prompt.size(), std::size_t{1} + limits_.facts.wide_rows);
  const auto whole = [&](PrefixTree::Source id, std::size_t matching) {
    return matching == parts_.host.tokens(id).size() ? matching : 0;
  };
  const PrefixTree::Match kept = parts_.host.match(prompt, salt, whole);
  if (kept.source == PrefixTree::kNone || kept.length < least) return {};
  return {parts_.host.tokens(kept.source), parts_.host.state(kept.source)};
}

}  // namespace infernode
