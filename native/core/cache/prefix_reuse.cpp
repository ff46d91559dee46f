#include "prefix_reuse.h"

#include <algorithm>

#include "core/scheduling/prompt_pieces.h"

namespace infernode {

namespace {

constexpr Position kLeastReuse = 8;  // tokens worth looking at

SequenceId sequence_of(const PrefixTree::Match& match) {
  return match.source == PrefixTree::kNone ? kNoSequence : static_cast<SequenceId>(match.source);
}

}  // namespace

PrefixReuse::PrefixReuse(const BackendLimits& limits, CacheConfig config, const Holders& holders)
    : limits_(limits), config_(config), holders_(holders) {}

bool PrefixReuse::shares(const Request& request) const {
  const GenerateParams& params = request.spec.params;
  const std::int32_t outputs = limits_.prefill_outputs;
  const bool alike = outputs >= least_piece() && pieces_alike(outputs, least_piece());
  if (params.prompt_log_probs >= 0 && !alike) return false;
  return params.cache && (config_.keeps_prefixes || params.parallel_samples);
}

// At least one row must be computed for its logits; a deterministic engine computes as many as
// round alike, and after them the decode row that ends an embedding prompt.
Position PrefixReuse::last_piece(const Request& request) const {
  const auto known = static_cast<Position>(request.progress.known.size());
  if (!config_.deterministic) return known - 1;
  const Position rows = known - (request.spec.params.embeds ? 1 : 0);
  return most_cached(rows, least_piece());
}

Position PrefixReuse::most_reusable(const Request& request) const {
  const Position most = last_piece(request);
  return request.scores_prompt() ? std::min(most, request.progress.scored) : most;
}

Position PrefixReuse::worth_keeping(const Request& request) const {
  if (!shares(request)) return 0;
  const Position computed = request.progress.computed;
  const Position kept =
      config_.deterministic ? std::min(computed, request.spec.prompt_tokens) : computed;
  return kept < kLeastReuse ? 0 : kept;
}

PrefixTree::Match PrefixReuse::match(const Request& request,
                                     const PrefixTree::Usable& usable) const {
  return holders_.sequences.match(request.progress.known, request.spec.params.cache_salt, usable);
}

// Of the `matching` first tokens of a sequence, how many can be reused now.
Position PrefixReuse::reusable(const Request& request, SequenceId source,
                               std::size_t matching) const {
  if (source == request.progress.sequence) return 0;
  const Request* holder = holders_.sequences.holder(source);
  const Position held = holders_.sequences.length(source);
  const bool prompt_only = config_.deterministic && holder != nullptr;
  const Position there = prompt_only ? std::min(held, holder->spec.prompt_tokens) : held;
  const Position most = std::min(there, most_reusable(request));
  Position same = std::min(static_cast<Position>(matching), most);
  if (holder != nullptr && matching == holders_.sequences.indexed(source)) {
    const auto equal = [&](Position at) {
      const auto index = static_cast<std::size_t>(at);
      return holder->progress.known[index] == request.progress.known[index];
    };
    while (same < most && equal(same)) ++same;  // what it has generated since it was indexed
  }
  same = holders_.store.reusable(source, same);
  // A running request's state is copied whole.
  if (!limits_.can_truncate && holder != nullptr && same != held) return 0;
  return same < kLeastReuse ? 0 : same;
}

PrefixReuse::Prefix PrefixReuse::in_sequences(const Request& request) const {
  const auto usable = [&](PrefixTree::Source source, std::size_t matching) {
    return static_cast<std::size_t>(reusable(request, static_cast<SequenceId>(source), matching));
  };
  const PrefixTree::Match found = match(request, usable);
  return {sequence_of(found), static_cast<Position>(found.length)};
}

PrefixTree::Match PrefixReuse::in_host_memory(const Request& request, Position computed) const {
  const auto most = static_cast<std::size_t>(most_reusable(request));
  const auto usable = [&](PrefixTree::Source id, std::size_t matching) -> std::size_t {
    if (limits_.can_truncate) return std::min(matching, most);
    if (matching != holders_.host.tokens(id).size()) return 0;
    const bool near = matching <= most + static_cast<std::size_t>(std::min(limits_.slack, 1));
    return near ? std::min(matching, most) : 0;
  };
  const PrefixTree::Match found =
      holders_.host.match(request.progress.known, request.spec.params.cache_salt, usable);
  const Position gain = static_cast<Position>(found.length) - computed;
  if (found.source == PrefixTree::kNone || gain < kLeastGain) return {};
  const auto whole = static_cast<Position>(holders_.host.tokens(found.source).size());
  return pays(holders_.store.transfer_ms(whole), gain) ? found : PrefixTree::Match{};
}

// Prompts are computed in order of arrival, so waiting takes no longer than computing would. An
// isolated request runs alone, so the older one would not run.
bool PrefixReuse::worth_awaiting(const Request& request, Position computed) const {
  if (request.progress.isolated) return false;
  const auto usable = [&](PrefixTree::Source source, std::size_t matching) {
    return static_cast<std::size_t>(
        about_to_compute(request, static_cast<SequenceId>(source), matching));
  };
  return static_cast<Position>(match(request, usable).length) >= computed + kLeastGain;
}

// Of the `matching` first tokens of both, how many a sequence's request is about to compute and
// leave where they can be reused: where states cannot be truncated, up to a checkpoint.
Position PrefixReuse::about_to_compute(const Request& request, SequenceId source,
                                       std::size_t matching) const {
  const Request* other = holders_.sequences.holder(source);
  if (other == nullptr || other->progress.arrival >= request.progress.arrival) return 0;
  if (!other->progress.will_prefill()) return 0;
  const Position same = std::min(static_cast<Position>(matching), most_reusable(request));
  if (limits_.can_truncate) return same;
  const auto after = std::ranges::upper_bound(other->progress.checkpoints, same);
  return after == other->progress.checkpoints.begin() ? 0 : *(after - 1);
}

// A preempted request's own state is restored into cells of its own.
Position PrefixReuse::common_with_running(const Request& request) const {
  if (!shares(request) || request.progress.stage() == Stage::kSwapped) return 0;
  const auto of_running = [&](PrefixTree::Source source, std::size_t matching) -> std::size_t {
    if (holders_.sequences.holder(static_cast<SequenceId>(source)) == nullptr) return 0;
    return std::min(matching, static_cast<std::size_t>(most_reusable(request)));
  };
  return static_cast<Position>(match(request, of_running).length);
}

bool PrefixReuse::held(std::span<const TokenId> tokens, const std::string& salt) const {
  if (!limits_.can_truncate) return false;
  const auto there = [&](PrefixTree::Source source, std::size_t matching) {
    const Position held = holders_.sequences.length(static_cast<SequenceId>(source));
    return std::min(matching, static_cast<std::size_t>(held));
  };
  return holders_.sequences.match(tokens, salt, there).length == tokens.size();
}

SequenceId PrefixReuse::idle_with(std::span<const TokenId> tokens, const std::string& salt) const {
  const auto all = [&](PrefixTree::Source source, std::size_t matching) -> std::size_t {
    const bool held = holders_.sequences.holder(static_cast<SequenceId>(source)) != nullptr;
    return !held && matching == tokens.size() ? matching : 0;
  };
  return sequence_of(holders_.sequences.match(tokens, salt, all));
}

SequenceId PrefixReuse::contained(std::span<const TokenId> tokens, const std::string& salt) const {
  if (!limits_.can_truncate) return kNoSequence;
  const auto whole = [&](PrefixTree::Source source, std::size_t matching) -> std::size_t {
    const auto sequence = static_cast<SequenceId>(source);
    const bool idle = holders_.sequences.idle(sequence);
    return idle && holders_.sequences.tokens(sequence).size() == matching ? matching : 0;
  };
  return sequence_of(holders_.sequences.match(tokens, salt, whole));
}

bool PrefixReuse::pays(double cost_ms, Position gain) const {
  return row_ms_ <= 0 || cost_ms <= gain * row_ms_;
}

}  // namespace infernode
