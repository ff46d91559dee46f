// The same text with and without reuse, on the real backend: conversations
// with beginnings in common, arriving at random, through every way a prefix
// can come back (taken over, copied, awaited, restored from host memory),
// against an engine that computes each prompt alone and whole.
#include <cmath>
#include <cstdio>
#include <random>

#include "check.h"
#include "model_fixture.h"
#include "recording_backend.h"

using namespace infernode;

namespace {

constexpr std::int32_t kGenerated = 24;
constexpr std::size_t kStateBytes = std::size_t{3} << 20;  // some states, not all

struct Turn {
  std::vector<TokenId> prompt;
  Story story;
};

struct Totals {
  int turns = 0;
  int diverged = 0;
  int inexcusable = 0;
  float largest = 0;  // difference of a logit before any divergence
};

struct Talk {
  std::vector<Turn> turns;
  EngineStats stats;
};

struct Conversation {
  std::vector<TokenId> said;
  int turns = 0;
  RequestId running = 0;
  std::size_t turn = 0;
};

std::vector<Conversation> begin(const std::vector<std::vector<TokenId>>& texts, std::size_t count) {
  std::vector<Conversation> all(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& system = texts[i % 2];
    all[i].said.assign(system.begin(), system.begin() + 150);
  }
  return all;
}

// Each conversation asks four times; what is asked is a piece of a text.
Talk talk(SteppedEngine& engine, const std::vector<std::vector<TokenId>>& texts) {
  std::mt19937_64 random(5);
  std::vector<Conversation> all = begin(texts, 12);
  Talk result;
  RequestId next = 1;
  for (std::size_t ended = 0; ended < all.size() * 4;) {
    Conversation& one = all[random() % all.size()];
    if (one.running == 0 && one.turns < 4) {
      const auto& text = texts[2 + random() % (texts.size() - 2)];
      const std::size_t from = random() % 200;
      const std::size_t length = 12 + random() % 80;
      for (std::size_t i = 0; i < length; ++i) one.said.push_back(text[from + i]);
      one.running = next;
      one.turn = result.turns.size();
      result.turns.push_back({one.said, {}});
      engine.submit(next++, one.said, kGenerated);
    }
    for (std::uint64_t steps = random() % 3; steps > 0; --steps) engine.step();
    for (Conversation& other : all) {
      if (other.running == 0 || engine.story(other.running).ends.empty()) continue;
      const Story& story = engine.story(other.running);
      result.turns[other.turn].story = story;
      other.said.insert(other.said.end(), story.tokens.begin(), story.tokens.end());
      other.running = 0;
      ++other.turns;
      ++ended;
    }
  }
  result.stats = engine.stats();
  return result;
}

float lead_of(LogitRow row) {
  std::nth_element(row.begin(), row.begin() + 1, row.end(), std::greater<>());
  return row[0] - row[1];
}

// Row by row until the texts part.
void compare(const Turn& turn, const Story& alone, LogitRecord& reused, LogitRecord& whole,
             float epsilon, Totals& totals) {
  ++totals.turns;
  std::vector<TokenId> known = turn.prompt;
  for (std::size_t i = 0; i < alone.tokens.size(); ++i) {
    const LogitRow& ours = reused.rows.at(known);
    const LogitRow& reference = whole.rows.at(known);
    for (std::size_t token = 0; token < ours.size(); ++token)
      totals.largest = std::max(totals.largest, std::abs(ours[token] - reference[token]));
    if (turn.story.tokens[i] != alone.tokens[i]) {
      ++totals.diverged;
      if (!(lead_of(reference) < 2 * epsilon)) ++totals.inexcusable;
      return;
    }
    known.push_back(alone.tokens[i]);
  }
}

Totals hold(const std::string& type, std::int32_t slots, bool exact, float epsilon) {
  const auto model = load_embedded(type);
  const auto texts = model_texts(model, 6, 400);
  const auto backend = [&](std::int32_t count, LogitRecord& record) {
    ContextOptions options = context_of(count, 128);
    options.flash_attention = !exact;
    return std::make_unique<RecordingBackend>(std::make_unique<LlamaBackend>(model, options),
                                              record);
  };
  LogitRecord reused;
  SteppedEngine engine(backend(slots, reused), vocab_of(model),
                       {.keeps_prefixes = true, .host_limit = kStateBytes, .exact = exact});
  engine.tick = 0;  // no copy is too dear
  const Talk said = talk(engine, texts);
  CHECK_EQ(reused.contradictions, 0);
  CHECK_EQ(said.stats.failed_passes, 0);
  Totals totals;
  for (const Turn& turn : said.turns) {
    LogitRecord whole;
    SteppedEngine alone(backend(1, whole), vocab_of(model));
    alone.submit(1, turn.prompt, kGenerated);
    alone.run();
    compare(turn, alone.story(1), reused, whole, epsilon, totals);
  }
  const CacheStats& cache = said.stats.cache;
  std::printf(
      "%s%s, %d slots: %d turns, %d diverged, largest difference %.2g; %lld tokens reused, "
      "%lld computed, %lld copies, %lld restores\n",
      type.c_str(), exact ? " exact" : "", slots, totals.turns, totals.diverged,
      static_cast<double>(totals.largest), static_cast<long long>(cache.prompt_tokens_cached),
      static_cast<long long>(said.stats.prompt_tokens_computed),
      static_cast<long long>(cache.copies), static_cast<long long>(cache.host_restores));
  CHECK(cache.prompt_tokens_cached > 2000);
  CHECK(cache.copies > 0);
  CHECK(slots > 3 || cache.host_restores > 0);
  CHECK_EQ(totals.inexcusable, 0);
  return totals;
}

}  // namespace

TEST("an exact engine gives the same logits to the bit, whatever it reuses") {
  for (const std::string type : {"q8_0", "q4_0"}) {
    for (const std::int32_t slots : {3, 6}) {
      const Totals totals = hold(type, slots, true, 0);
      CHECK_EQ(totals.diverged, 0);
      CHECK(totals.largest <= 0);
    }
  }
}

TEST("by default texts part only where the model was undecided") {
  const Totals totals = hold("q8_0", 4, false, 0.4f);
  CHECK(totals.largest <= 0.4f);
  CHECK(totals.diverged * 10 <= totals.turns);
}
