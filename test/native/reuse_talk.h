// Conversations with beginnings in common, arriving at random, through every way
// a prefix can come back (taken over, copied, awaited, restored from host
// memory), compared row by row with an engine that computes each prompt alone
// and whole. For tests on the real backend.
#pragma once

#include <cmath>
#include <random>

#include "check.h"
#include "model_fixture.h"
#include "recording_backend.h"

namespace infernode {

constexpr std::int32_t kGenerated = 24;

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

inline std::vector<Conversation> begin(const std::vector<std::vector<TokenId>>& texts,
                                       std::size_t count) {
  std::vector<Conversation> all(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& system = texts[i % 2];
    all[i].said.assign(system.begin(), system.begin() + 150);
  }
  return all;
}

// Each conversation asks four times; what is asked is a piece of a text.
inline Talk talk(SteppedEngine& engine, const std::vector<std::vector<TokenId>>& texts) {
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

inline float lead_of(LogitRow row) {
  std::nth_element(row.begin(), row.begin() + 1, row.end(), std::greater<>());
  return row[0] - row[1];
}

// Row by row until the texts part.
inline void compare(const Turn& turn, const Story& alone, LogitRecord& reused, LogitRecord& whole,
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

}  // namespace infernode
