// What is computed twice, and what must not be: requests that share their
// beginnings, over the fake backend, against the distinct tokens of the trace
// and against a simulated cache of the same size.
#include <algorithm>
#include <list>
#include <map>
#include <random>
#include <set>

#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

using Tokens = std::vector<TokenId>;

constexpr std::size_t kPlenty = std::size_t{1} << 30;

CacheConfig cache_of(std::size_t host_limit) {
  return {.keeps_prefixes = true, .host_limit = host_limit, .deterministic = false};
}

struct Turn {
  Tokens prompt;
  Tokens answer;
};

// The tokens a cache of unlimited size computes: those of each prompt that no
// earlier prompt or answer began with.
class TokenTrie {
 public:
  // Tokens of `tokens` that were not there before.
  std::size_t add(const Tokens& tokens) {
    Tokens prefix;
    std::size_t fresh = 0;
    std::uint64_t path = 1;
    for (const TokenId token : tokens) {
      path = fake_hash(path, token);
      fresh += seen_.insert(path).second ? 1 : 0;
    }
    return fresh;
  }

 private:
  std::set<std::uint64_t> seen_;
};

std::size_t in_common(const Tokens& a, const Tokens& b) {
  const std::size_t limit = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(limit), b.begin()).first -
      a.begin());
}

// A cache of whole states that forgets the one longest unused.
class LruStates {
 public:
  explicit LruStates(std::size_t capacity) : capacity_(capacity) {}

  // Tokens of the prompt it has to compute; keeps prompt and answer.
  std::size_t serve(const Turn& turn) {
    std::size_t known = 0;
    auto best = states_.end();
    for (auto it = states_.begin(); it != states_.end(); ++it) {
      const std::size_t common = std::min(in_common(*it, turn.prompt), turn.prompt.size() - 1);
      if (common > known) best = it;
      known = std::max(known, common);
    }
    if (best != states_.end()) states_.splice(states_.begin(), states_, best);
    Tokens whole = turn.prompt;
    whole.insert(whole.end(), turn.answer.begin(), turn.answer.end());
    states_.remove_if([&](const Tokens& one) { return in_common(one, whole) == one.size(); });
    states_.push_front(whole);
    std::size_t kept = 0;
    for (const Tokens& one : states_) kept += one.size();
    for (; kept > capacity_; states_.pop_back()) kept -= states_.back().size();
    return turn.prompt.size() - known;
  }

 private:
  std::size_t capacity_;
  std::list<Tokens> states_;  // the latest used first
};

struct Trace {
  std::vector<Turn> turns;  // in order of submission
  std::size_t computed = 0;
  std::size_t largest = 0;  // tokens of all conversations at their ends
  double mean_kept = 0;     // tokens in the backend and in host memory
};

struct Shape {
  int conversations;
  int turns;
  int groups;          // of conversations with a system prompt in common
  std::size_t common;  // tokens all begin with
  std::size_t system;  // tokens of a group's own
};

// Conversations whose turns arrive at random; each prompt is all that was said
// before and something new.
Trace converse(EngineFixture& fixture, const Shape& shape, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  struct Conversation {
    Tokens said;
    int turns = 0;
    RequestId running = 0;
    std::size_t turn = 0;
  };
  std::vector<Conversation> all;
  for (int i = 0; i < shape.conversations; ++i) {
    Conversation one;
    one.said = fake_prompt(shape.common, 1000);
    const Tokens own =
        fake_prompt(shape.system, 2000 + static_cast<std::uint64_t>(i % shape.groups));
    one.said.insert(one.said.end(), own.begin(), own.end());
    all.push_back(one);
  }
  Trace trace;
  RequestId next = 1;
  std::size_t left = all.size() * static_cast<std::size_t>(shape.turns);
  std::size_t living = 0;
  const auto most_living = static_cast<std::size_t>(fixture.backend->limits().slots);
  double kept = 0;
  double steps = 0;
  while (left > 0 || living > 0) {
    Conversation& one = all[below(all.size())];
    if (one.running == 0 && one.turns < shape.turns && living < most_living && below(2) == 0) {
      const Tokens asked = fake_prompt(16 + below(48), 5000 + next);
      one.said.insert(one.said.end(), asked.begin(), asked.end());
      one.running = next;
      one.turn = trace.turns.size();
      trace.turns.push_back({one.said, {}});
      CHECK(!fixture.submit(next++, one.said, static_cast<std::int32_t>(8 + below(24))));
      ++living;
      --left;
    }
    fixture.engine->step();
    const CacheStats cache = fixture.engine->stats().cache;
    kept += static_cast<double>(cache.cells_used + cache.cells_cached + cache.host_bytes);
    ++steps;
    for (Conversation& other : all) {
      if (other.running == 0 || fixture.story(other.running).ends.empty()) continue;
      const Story& story = fixture.story(other.running);
      const Usage& usage = story.ends.at(0).usage;
      CHECK_EQ(usage.prompt_tokens, static_cast<std::int32_t>(other.said.size()));
      trace.computed += static_cast<std::size_t>(usage.prompt_tokens - usage.cached_prompt_tokens);
      trace.turns[other.turn].answer = story.tokens;
      other.said.insert(other.said.end(), story.tokens.begin(), story.tokens.end());
      other.running = 0;
      ++other.turns;
      --living;
    }
  }
  trace.mean_kept = kept / steps;
  TokenTrie trie;
  for (const Conversation& one : all) trace.largest += trie.add(one.said);
  return trace;
}

std::size_t distinct_of(const Trace& trace) {
  TokenTrie trie;
  std::size_t distinct = 0;
  for (const Turn& turn : trace.turns) {
    distinct += trie.add(turn.prompt);
    Tokens whole = turn.prompt;
    whole.insert(whole.end(), turn.answer.begin(), turn.answer.end());
    trie.add(whole);
  }
  return distinct;
}

// Streams and one pool, few slots and many.
std::vector<BackendLimits> layouts(std::int32_t context) {
  std::vector<BackendLimits> all;
  for (const std::int32_t slots : {4, 16}) {
    all.push_back(fake_limits(slots, context, 128));
    all.push_back(pooled(all.back()));
  }
  return all;
}

std::string name_of(const BackendLimits& limits) {
  return std::to_string(limits.slots) + (limits.unified ? " slots in one pool" : " slots");
}

}  // namespace

TEST("sixteen requests at once compute what they share once") {
  for (const BackendLimits& limits : layouts(512)) {
    EngineFixture fixture(limits);
    for (RequestId id = 1; id <= 16; ++id) {
      Tokens prompt = fake_prompt(352, 1);
      const Tokens own = fake_prompt(32, 100 + id);
      prompt.insert(prompt.end(), own.begin(), own.end());
      fixture.submit(id, prompt, 20);
    }
    CHECK(fixture.run());
    std::int64_t computed = 0;
    for (RequestId id = 1; id <= 16; ++id) {
      const Usage& usage = fixture.story(id).ends.at(0).usage;
      computed += usage.prompt_tokens - usage.cached_prompt_tokens;
    }
    const double distinct = 352 + 16 * 32;
    std::printf("%s: %.3f of the distinct tokens\n", name_of(limits).c_str(),
                static_cast<double>(computed) / distinct);
    CHECK(static_cast<double>(computed) <= 1.05 * distinct);
    // A prompt's last token may be the row of a decode pass.
    const std::int64_t counted = fixture.engine->stats().prompt_tokens_computed;
    CHECK(counted <= computed && counted >= computed - 16);
    CHECK_EQ(fixture.backend->rule_breaks, 0);
  }
}

TEST("conversations compute each token once while memory suffices") {
  for (const BackendLimits& limits : layouts(1024)) {
    for (const Shape& shape : {Shape{64, 8, 1, 0, 100}, Shape{64, 8, 8, 60, 100}}) {
      EngineFixture fixture(limits, 1000, 0, cache_of(kPlenty));
      const Trace trace = converse(fixture, shape, 11);
      const double ratio =
          static_cast<double>(trace.computed) / static_cast<double>(distinct_of(trace));
      std::printf("%s, %d groups: %.3f of the distinct tokens\n", name_of(limits).c_str(),
                  shape.groups, ratio);
      CHECK(ratio <= 1.05);
      CHECK_EQ(fixture.backend->rule_breaks, 0);
    }
  }
}

TEST(
    "a quarter of the memory serves within 10 % of a least-recently-used cache of states as "
    "large") {
  for (const BackendLimits& limits : layouts(1024)) {
    for (const Shape& shape : {Shape{64, 8, 1, 0, 100}, Shape{64, 8, 8, 60, 100}}) {
      const auto measure = [&](std::size_t host_limit) {
        EngineFixture fixture(limits, 1000, 0, cache_of(host_limit));
        return converse(fixture, shape, 12);
      };
      const Trace trace = measure(measure(kPlenty).largest / 4);
      LruStates simulated(static_cast<std::size_t>(trace.mean_kept));
      std::size_t expected = 0;
      for (const Turn& turn : trace.turns) expected += simulated.serve(turn);
      const double ratio = static_cast<double>(trace.computed) / static_cast<double>(expected);
      std::printf("%s, %d groups: %zu computed, %zu simulated: %.3f\n", name_of(limits).c_str(),
                  shape.groups, trace.computed, expected, ratio);
      CHECK(ratio <= 1.10);
    }
  }
}

TEST("requests that save end with the state of their prompt, whatever its length") {
  for (const BackendLimits& limits : layouts(512)) {
    EngineFixture fixture(limits);
    for (RequestId id = 1; id <= 24; ++id) {
      GenerateParams params;
      params.max_tokens = 1;
      params.saves = true;
      fixture.submit(id, fake_prompt(id, id), params);
    }
    fixture.submit(25, fake_prompt(9, 25), 1);
    CHECK(fixture.run());
    for (RequestId id = 1; id <= 24; ++id) {
      const auto& state = fixture.story(id).ends.at(0).state;
      CHECK(state != nullptr);
      CHECK(state->tokens == fake_prompt(id, id));
      CHECK(state->state.size() == state->tokens.size());
    }
    CHECK(fixture.story(25).ends.at(0).state == nullptr);
    CHECK_EQ(fixture.backend->rule_breaks, 0);
  }
}

TEST("a saved state has what an ended conversation has beyond the prompt") {
  EngineFixture fixture(fake_limits(2));
  fixture.submit(1, fake_prompt(40, 1), 60);
  CHECK(fixture.run());
  GenerateParams params;
  params.max_tokens = 1;
  params.saves = true;
  fixture.submit(2, fake_prompt(40, 1), params);
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(2).ends.at(0).state->tokens.size(), 40U + 59U);
}

TEST("a saved state that does not match its tokens is dropped, and the prompt computed") {
  for (const BackendLimits& limits : layouts(512)) {
    for (const std::size_t bytes : {1U, 40U, 100U}) {
      EngineFixture fixture(limits);
      fixture.submit(1, fake_prompt(64, 1), 8);
      CHECK(fixture.run());
      EngineFixture other(limits);
      const CachedState state{fake_prompt(60, 1), std::vector<std::uint8_t>(bytes, 3)};
      other.engine->call([&](KvCache* cache) {
        CHECK(cache->import_state(state, "") == StateImport::kMalformed);
      });
      other.run();
      other.backend->credulous = true;
      other.engine->call(
          [&](KvCache* cache) { CHECK(cache->import_state(state, "") == StateImport::kKept); });
      other.submit(1, fake_prompt(64, 1), 8);
      CHECK(other.run());
      CHECK(other.story(1).tokens == fixture.story(1).tokens);
      CHECK_EQ(other.engine->stats().cache.host_bytes, 0);
      CHECK_EQ(other.engine->stats().failed_passes, 0);
      CHECK_EQ(other.backend->rule_breaks, 0);
    }
  }
}
