#include "grammar_automaton.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "grammar_closure.h"

namespace infernode {

namespace {

using Kind = GrammarElement::Kind;

// A transition that is not computed yet; larger than any state number.
constexpr std::uint32_t kUnknown = std::numeric_limits<std::uint32_t>::max();

constexpr std::size_t kWorkOfStep = 8;           // of computing a transition
constexpr std::size_t kPlacesJudgedAtOnce = 16;  // by one byte, in the time of one unit of work
constexpr std::size_t kMostStates = 4096;
constexpr std::size_t kMostNodes = 400'000;
constexpr std::size_t kMostMasks = 256;  // of 16 KiB with 128k tokens
constexpr int kPrepared = 4;  // masks, computed on the prompt thread before the request is queued
constexpr std::size_t kManyNodes = 1000;  // their masks take milliseconds

std::uint64_t bits_of(const Utf8Reader& reader) {
  return (std::uint64_t{reader.first()} << 32) | (std::uint64_t{reader.last()} << 3) |
         static_cast<std::uint64_t>(reader.missing());
}

}  // namespace

GrammarAutomaton::GrammarAutomaton(std::shared_ptr<const Grammar> grammar,
                                   std::shared_ptr<const TokenOrder> tokens)
    : grammar_(std::move(grammar)), tokens_(std::move(tokens)) {
  places_.emplace_back();  // kDead
}

GrammarAutomaton::State GrammarAutomaton::start() {
  const std::lock_guard lock(mutex_);
  if (start_ != kDead) return start_;
  graph_.begin_work();
  GrammarClosure closure(*grammar_, graph_);
  for (const std::uint32_t alternative : grammar_->rules[grammar_->root])
    closure.add(alternative, graph_.set_of({GrammarGraph::kTextEnd}));
  return start_ = state_of(closure.nodes(), {});
}

GrammarAutomaton::State GrammarAutomaton::after(State state, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  graph_.begin_work();
  for (const char byte : bytes) {
    if (state == kDead) break;
    state = step(state, static_cast<std::uint8_t>(byte));
  }
  return state;
}

bool GrammarAutomaton::may_end(State state) const {
  const std::lock_guard lock(mutex_);
  const Place& place = places_[state];
  return place.reader.missing() == 0 && !place.nodes.empty() &&
         place.nodes.front() == GrammarGraph::kTextEnd;
}

bool GrammarAutomaton::only_ends(State state) const {
  const std::lock_guard lock(mutex_);
  return places_[state].nodes == std::vector<NodeId>{GrammarGraph::kTextEnd};
}

std::shared_ptr<const GrammarAutomaton::Mask> GrammarAutomaton::allowed(State state) {
  const std::lock_guard lock(mutex_);
  return mask_of(state);
}

void GrammarAutomaton::prepare(State state) {
  const std::lock_guard lock(mutex_);
  // Requests on the engine thread may use the automaton by now, and would wait for this lock.
  if (places_[state].mask != nullptr) return;
  mask_of(state);
  try {
    for (int i = 1; i < kPrepared; ++i) {
      const State next = slowest_without_mask();
      if (places_[next].nodes.size() < kManyNodes) return;
      mask_of(next);
    }
  } catch (const Error&) {  // the text may never reach that state
  }
}

const std::shared_ptr<const GrammarAutomaton::Mask>& GrammarAutomaton::mask_of(State state) {
  if (places_[state].mask == nullptr) {
    graph_.begin_work();
    auto mask = compute_mask(state);
    if (masks_++ >= kMostMasks) {
      for (Place& place : places_) place.mask = nullptr;
      masks_ = 1;
    }
    places_[state].mask = std::move(mask);
  }
  return places_[state].mask;
}

// The known state with the most places.
GrammarAutomaton::State GrammarAutomaton::slowest_without_mask() const {
  State slowest = kDead;
  for (State state = kDead + 1; state < places_.size(); ++state) {
    const bool slower = places_[state].nodes.size() > places_[slowest].nodes.size();
    if (slower && places_[state].mask == nullptr) slowest = state;
  }
  return slowest;
}

// Each common prefix of tokens is walked once, and tokens that share a rejected prefix are skipped.
std::shared_ptr<const GrammarAutomaton::Mask> GrammarAutomaton::compute_mask(State state) {
  auto mask = std::make_shared<Mask>((static_cast<std::size_t>(tokens_->vocab().size()) + 63) / 64);
  std::vector<State> path(tokens_->longest() + 1);
  path[0] = state;
  std::size_t alive = 0;  // bytes of the last token that were accepted
  bool died = false;      // rejected at the next byte
  for (const TokenOrder::Entry& entry : tokens_->entries()) {
    if (died && entry.common > alive) continue;
    std::size_t depth = std::min<std::size_t>(entry.common, alive);
    died = false;
    for (; depth < entry.piece.size(); ++depth) {
      path[depth + 1] = step(path[depth], static_cast<std::uint8_t>(entry.piece[depth]));
      died = path[depth + 1] == kDead;
      if (died) break;
    }
    alive = depth;
    const auto token = static_cast<std::size_t>(entry.token);
    if (!died) (*mask)[token / 64] |= std::uint64_t{1} << (token % 64);
  }
  return mask;
}

std::size_t GrammarAutomaton::work() const {
  const std::lock_guard lock(mutex_);
  return graph_.total_work();
}

bool GrammarAutomaton::full() const {
  const std::lock_guard lock(mutex_);
  return places_.size() > kMostStates || graph_.size() > kMostNodes;
}

std::pair<std::shared_ptr<GrammarAutomaton>, GrammarAutomaton::State> GrammarAutomaton::renewed(
    State state) const {
  const std::lock_guard lock(mutex_);
  auto fresh = std::make_shared<GrammarAutomaton>(grammar_, tokens_);
  const State there =
      fresh->state_of(fresh->graph_.imported(graph_, places_[state].nodes), places_[state].reader);
  return {std::move(fresh), there};
}

GrammarAutomaton::State GrammarAutomaton::step(State state, std::uint8_t byte) {
  if (places_[state].next == nullptr) {
    places_[state].next = std::make_unique<std::array<State, 256>>();
    places_[state].next->fill(kUnknown);
  }
  const State known = (*places_[state].next)[byte];
  if (known != kUnknown) return known;
  const State next = compute(places_[state], byte);
  (*places_[state].next)[byte] = next;
  return next;
}

GrammarAutomaton::State GrammarAutomaton::compute(const Place& place, std::uint8_t byte) {
  Utf8Reader reader = place.reader;
  if (!reader.take(byte)) return kDead;
  graph_.count_work(kWorkOfStep + place.nodes.size() / kPlacesJudgedAtOnce);
  std::vector<NodeId> met;
  for (const NodeId id : place.nodes) {
    if (id != GrammarGraph::kTextEnd && set_at(id).overlaps(reader.first(), reader.last()))
      met.push_back(id);
  }
  if (met.empty()) return kDead;
  if (reader.missing() > 0) return state_of(std::move(met), reader);
  GrammarClosure closure(*grammar_, graph_);
  for (const NodeId id : met) closure.add(graph_.node(id).element + 1, graph_.node(id).then);
  return state_of(closure.nodes(), {});
}

const CharacterSet& GrammarAutomaton::set_at(NodeId id) const {
  return grammar_->sets[grammar_->elements[graph_.node(id).element].index];
}

GrammarAutomaton::State GrammarAutomaton::state_of(std::vector<NodeId> nodes, Utf8Reader reader) {
  std::ranges::sort(nodes);
  const auto [place, added] = states_.try_emplace(PlaceKey{std::move(nodes), bits_of(reader)},
                                                  static_cast<State>(places_.size()));
  if (added) places_.push_back({place->first.first, reader, nullptr, nullptr});
  return place->second;
}

}  // namespace infernode
