#include "grammar_automaton.h"

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

namespace infernode {

namespace {

using Kind = GrammarElement::Kind;

// The node of a text that may end; nothing follows it.
constexpr std::uint32_t kTextEnd = 0;
// A step not taken yet; as large as a state number never is.
constexpr std::uint32_t kUnknown = std::numeric_limits<std::uint32_t>::max();

constexpr std::size_t kMostPlacesAtOnce = 20'000;  // in which a text may be
// Places looked at for one token's text or one mask: some 40 ms of everybody's step.
constexpr std::size_t kMostWork = 400'000;
constexpr std::size_t kWorkOfStep = 8;           // of a step taken for the first time
constexpr std::size_t kPlacesJudgedAtOnce = 16;  // by one byte, in the time of one looked at
constexpr std::size_t kMostStates = 4096;
constexpr std::size_t kMostNodes = 400'000;
constexpr std::size_t kMostMasks = 256;  // of 16 KiB with 128k tokens

std::uint64_t bits_of(const Utf8Reader& reader) {
  return (std::uint64_t{reader.first()} << 32) | (std::uint64_t{reader.last()} << 3) |
         static_cast<std::uint64_t>(reader.missing());
}

}  // namespace

GrammarAutomaton::GrammarAutomaton(std::shared_ptr<const Grammar> grammar,
                                   std::shared_ptr<const TokenOrder> tokens)
    : grammar_(std::move(grammar)), tokens_(std::move(tokens)) {
  nodes_.push_back({0, 0});  // kTextEnd
  places_.emplace_back();    // kDead
}

GrammarAutomaton::State GrammarAutomaton::start() {
  const std::lock_guard lock(mutex_);
  if (start_ != kDead) return start_;
  std::vector<NodeId> work;
  for (const std::uint32_t alternative : grammar_->rules[grammar_->root])
    work.push_back(node(alternative, kTextEnd));
  return start_ = state_of(close(std::move(work)), {});
}

GrammarAutomaton::State GrammarAutomaton::after(State state, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  work_ = 0;
  for (const char byte : bytes) {
    if (state == kDead) break;
    state = step(state, static_cast<std::uint8_t>(byte));
  }
  return state;
}

bool GrammarAutomaton::may_end(State state) const {
  const std::lock_guard lock(mutex_);
  const Place& place = places_[state];
  return place.reader.missing() == 0 && !place.nodes.empty() && place.nodes.front() == kTextEnd;
}

bool GrammarAutomaton::only_ends(State state) const {
  const std::lock_guard lock(mutex_);
  return places_[state].nodes == std::vector<NodeId>{kTextEnd};
}

std::shared_ptr<const GrammarAutomaton::Mask> GrammarAutomaton::allowed(State state) {
  const std::lock_guard lock(mutex_);
  if (places_[state].mask == nullptr) {
    work_ = 0;
    auto mask = compute_mask(state);
    if (masks_++ >= kMostMasks) {
      for (Place& place : places_) place.mask = nullptr;
      masks_ = 1;
    }
    places_[state].mask = std::move(mask);
  }
  return places_[state].mask;
}

// Each beginning that tokens have in common is walked once, and what shares a
// byte that led nowhere is skipped.
std::shared_ptr<const GrammarAutomaton::Mask> GrammarAutomaton::compute_mask(State state) {
  auto mask = std::make_shared<Mask>((static_cast<std::size_t>(tokens_->vocab().size()) + 63) / 64);
  std::vector<State> path(tokens_->longest() + 1);
  path[0] = state;
  std::size_t alive = 0;  // bytes of the last token that led on
  bool died = false;      // at the byte after these
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

bool GrammarAutomaton::full() const {
  const std::lock_guard lock(mutex_);
  return places_.size() > kMostStates || nodes_.size() > kMostNodes;
}

std::pair<std::shared_ptr<GrammarAutomaton>, GrammarAutomaton::State> GrammarAutomaton::renewed(
    State state) const {
  const std::lock_guard lock(mutex_);
  auto fresh = std::make_shared<GrammarAutomaton>(grammar_, tokens_);
  std::vector<NodeId> nodes;
  for (const NodeId node : places_[state].nodes) nodes.push_back(fresh->imported(*this, node));
  const State there = fresh->state_of(std::move(nodes), places_[state].reader);
  return {std::move(fresh), there};
}

// Its chain of nodes from the end of the text up.
GrammarAutomaton::NodeId GrammarAutomaton::imported(const GrammarAutomaton& from, NodeId node_id) {
  std::vector<std::uint32_t> elements;
  for (; node_id != kTextEnd; node_id = from.nodes_[node_id].then)
    elements.push_back(from.nodes_[node_id].element);
  NodeId here = kTextEnd;
  for (auto element = elements.rbegin(); element != elements.rend(); ++element)
    here = node(*element, here);
  return here;
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
  spend(kWorkOfStep + place.nodes.size() / kPlacesJudgedAtOnce);
  std::vector<NodeId> met;
  for (const NodeId id : place.nodes) {
    if (id != kTextEnd && set_at(id).meets(reader.first(), reader.last())) met.push_back(id);
  }
  if (met.empty()) return kDead;
  if (reader.missing() > 0) return state_of(std::move(met), reader);
  for (NodeId& id : met) id = node(nodes_[id].element + 1, nodes_[id].then);
  return state_of(close(std::move(met)), {});
}

// What one request's grammar may cost the others of its step.
void GrammarAutomaton::spend(std::size_t work) {
  work_ += work;
  if (work_ <= kMostWork) return;
  throw Error(ErrorCode::kInvalidOption,
              "The grammar has too many ways to go on here to judge every token by; make its "
              "alternatives differ sooner or its repetitions fewer.");
}

const CharacterSet& GrammarAutomaton::set_at(NodeId id) const {
  return grammar_->sets[grammar_->elements[nodes_[id].element].index];
}

// The nodes at character sets, and the end of the text, that these come to
// without reading anything. What follows a rule that is the last of its
// alternative is what follows the alternative, so loops come back to the same
// nodes.
std::vector<GrammarAutomaton::NodeId> GrammarAutomaton::close(std::vector<NodeId> work) {
  std::vector<NodeId> found;
  std::unordered_set<NodeId> seen;
  while (!work.empty()) {
    const NodeId id = work.back();
    work.pop_back();
    if (!seen.insert(id).second) continue;
    spend(1);
    if (seen.size() > kMostPlacesAtOnce) {
      throw Error(ErrorCode::kInvalidOption,
                  "The grammar can be read in more than " + std::to_string(kMostPlacesAtOnce) +
                      " ways at once here; make its alternatives differ sooner.");
    }
    const auto [at, then] = nodes_[id];
    const GrammarElement element = grammar_->elements[at];
    if (id == kTextEnd || element.kind == Kind::kSet) {
      found.push_back(id);
    } else if (element.kind == Kind::kEnd) {
      work.push_back(then);
    } else {
      const bool last = grammar_->elements[at + 1].kind == Kind::kEnd;
      const NodeId next = last ? then : node(at + 1, then);
      for (const std::uint32_t alternative : grammar_->rules[element.index])
        work.push_back(node(alternative, next));
    }
  }
  std::ranges::sort(found);
  return found;
}

GrammarAutomaton::NodeId GrammarAutomaton::node(std::uint32_t element, NodeId then) {
  const std::uint64_t key = (std::uint64_t{element} << 32) | then;
  const auto [place, added] = node_ids_.try_emplace(key, static_cast<NodeId>(nodes_.size()));
  if (added) nodes_.push_back({element, then});
  return place->second;
}

GrammarAutomaton::State GrammarAutomaton::state_of(std::vector<NodeId> nodes, Utf8Reader reader) {
  std::ranges::sort(nodes);
  const auto [place, added] = states_.try_emplace(PlaceKey{std::move(nodes), bits_of(reader)},
                                                  static_cast<State>(places_.size()));
  if (added) places_.push_back({place->first.first, reader, nullptr, nullptr});
  return place->second;
}

}  // namespace infernode
