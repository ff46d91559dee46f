// Speculative decoding: drafts out of the text, when they are worth computing, and that
// no request's text depends on whether they were.
#include "core/drafting/speculation.h"

#include <random>

#include "check.h"
#include "core/grammar/grammar_cache.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

using Tokens = std::vector<TokenId>;

BackendLimits roomy(std::int32_t slots) {
  BackendLimits limits = fake_limits(slots, 2000, 64);
  limits.prefill_outputs = 64;
  return limits;
}

EngineFixture engine_with(std::int32_t slots, bool speculates) {
  return EngineFixture(roomy(slots), 1000, 0, EngineConfig{}.cache, speculates);
}

// A text that repeats itself, with variations now and then.
GenerateParams repetitive(std::int32_t max_tokens, float temperature) {
  static GrammarCache grammars(std::make_shared<FakeVocab>(50));
  GenerateParams params;
  params.max_tokens = max_tokens;
  params.ignore_eos = true;
  params.sampling.temperature = temperature;
  params.sampling.top_p = 1;
  params.sampling.seed = 5;
  params.grammar =
      grammars.find("root ::= (\" t3 t4 t5 t6 t7\" (\" t8\" | \" t9\")? \" t3 t4 t12\")*");
  return params;
}

}  // namespace

TEST("a draft is what followed the last tokens when they stood last, three or fewer") {
  const auto drafted = [](const Tokens& text) { return NgramDrafter().draft(text, 4); };
  const Lookup three = drafted({1, 2, 3, 4, 5, 9, 1, 2, 3, 7, 8, 1, 2, 3});
  CHECK((three.tokens == Tokens{7, 8, 1, 2}));
  CHECK_EQ(three.matched, 3u);
  const Lookup two = drafted({9, 2, 3, 4, 8, 3, 7, 1, 2, 3});
  CHECK((two.tokens == Tokens{4, 8, 3, 7}));
  CHECK_EQ(two.matched, 2u);
  const Lookup one = drafted({5, 6, 7, 8, 5});
  CHECK((one.tokens == Tokens{6, 7, 8, 5}));
  CHECK_EQ(one.matched, 1u);
  CHECK_EQ(drafted({0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6}).matched, 7u);
  CHECK(drafted({1, 2, 3, 4}).tokens.empty());
  CHECK(drafted({1}).tokens.empty());
  CHECK(drafted({}).tokens.empty());
}

TEST("a longer match before a draft makes it likelier") {
  Draft draft;
  for (int i = 0; i < 50; ++i) {
    draft.renew({1, 2}, 1);
    CHECK(draft.verify(0, i % 4 == 0 ? 1 : 9) == (i % 4 == 0));
    if (i % 4 == 0) CHECK(draft.verify(1, 2) == true);
  }
  draft.renew({1}, 1);
  CHECK(draft.expected(1) < 1.5);
  draft.renew({1}, 2);
  CHECK(draft.expected(1) > 1.8);
}

TEST("a text that goes round in a circle is drafted on around it") {
  NgramDrafter drafter;
  CHECK((drafter.draft(Tokens{1, 2, 3, 1, 2, 3}, 7).tokens == Tokens{1, 2, 3, 1, 2, 3, 1}));
  NgramDrafter one;
  CHECK((one.draft(Tokens{6, 6, 6, 6}, 3).tokens == Tokens{6, 6, 6}));
}

TEST("drafts grow with the text, whatever was asked before") {
  std::mt19937 random(7);
  Tokens text;
  NgramDrafter grown;
  for (int i = 0; i < 400; ++i) {
    text.push_back(static_cast<TokenId>(random() % 4));
    NgramDrafter fresh;
    const Lookup expected = fresh.draft(text, 5);
    const Lookup found = grown.draft(text, 5);
    CHECK(found.tokens == expected.tokens);
    CHECK_EQ(found.matched, expected.matched);
  }
}

TEST("drafting pays where drafts are accepted and rows are cheap") {
  Speculation speculation;
  DraftState sure, unsure;
  sure.by_lookup.tokens = unsure.by_lookup.tokens = Tokens(kMostDrafted, 1);
  sure.by_lookup.rates.fill(0.95);
  unsure.by_lookup.rates.fill(0.1);
  const std::vector<const DraftState*> one = {&sure}, wrong = {&unsure}, five(5, &sure);
  const auto length = [&](const auto& requests) {
    return speculation.plan(requests, std::nullopt).length;
  };
  CHECK_EQ(length(one), 0u);  // nothing is measured yet
  speculation.measured_plain(1, 10);
  CHECK(length(one) > 2);
  speculation.measured_drafted(1, 5, 14);  // a row costs a tenth of a pass
  CHECK(length(one) > 6);
  CHECK_EQ(length(wrong), 0u);
  CHECK_EQ(length(five), 0u);
  for (int i = 0; i < 60; ++i) speculation.measured_drafted(1, 5, 60);  // a row costs a pass
  CHECK_EQ(length(one), 0u);
}

TEST("a wide batch leaves no stale draft behind to be verified") {
  Draft draft;
  draft.renew({4, 5, 6});
  CHECK(draft.verify(0, 4) == true);
  CHECK(draft.verify(1, 9) == false);
  CHECK(draft.verify(2, 6) == std::nullopt);  // what follows a miss says nothing
  CHECK(draft.verify(0, 4) == std::nullopt);
  const auto rates = draft.rates;
  draft.renew({});
  CHECK(draft.verify(0, 4) == std::nullopt);
  CHECK(draft.rates == rates);
}

TEST("texts are the same with and without, in fewer passes where they repeat") {
  for (const float temperature : {0.0f, 1.0f}) {
    for (const std::int32_t requests : {1, 2, 4}) {
      EngineFixture plain = engine_with(4, false);
      EngineFixture speculating = engine_with(4, true);
      speculating.tick = 0.01;
      for (EngineFixture* fixture : {&plain, &speculating}) {
        for (RequestId id = 1; id <= static_cast<RequestId>(requests); ++id)
          CHECK(!fixture->submit(id, fake_prompt(30, id), repetitive(200, temperature)));
        CHECK(fixture->run());
      }
      for (RequestId id = 1; id <= static_cast<RequestId>(requests); ++id) {
        CHECK(plain.story(id).tokens == speculating.story(id).tokens);
        CHECK_EQ(plain.story(id).text, speculating.story(id).text);
        CHECK_EQ(speculating.story(id).tokens.size(), 200u);
      }
      const EngineStats stats = speculating.engine->stats();
      CHECK(stats.accepted_tokens > 0);
      CHECK(stats.decode_passes * 3 < plain.engine->stats().decode_passes * 2);
      CHECK_EQ(speculating.backend->rule_breaks, 0);
    }
  }
}

TEST("what stops a text stops it inside a draft too") {
  const std::vector<std::string> stops = {" t12 t3 t4 t5 t6 t7 t3"};
  for (const bool speculates : {false, true}) {
    EngineFixture fixture = engine_with(2, speculates);
    fixture.tick = 0.01;
    GenerateParams params = repetitive(500, 0);
    params.sampling.logit_bias = {{8, -100}, {9, -100}};
    params.stop = stops;
    CHECK(!fixture.submit(1, fake_prompt(30, 1), params));
    params.stop = {};
    params.max_tokens = 97;
    CHECK(!fixture.submit(2, fake_prompt(30, 2), params));
    CHECK(fixture.run());
    CHECK(fixture.story(1).ends.at(0).reason == FinishReason::kStop);
    CHECK_EQ(fixture.story(1).text, std::string(" t3 t4 t5 t6 t7 t3 t4"));
    CHECK_EQ(fixture.story(2).tokens.size(), 97u);
    CHECK_EQ(fixture.engine->stats().cache.cells_used, 0);
  }
}

TEST("random arrivals leave the books balanced while some have drafts") {
  EngineFixture fixture = engine_with(6, true);
  EngineFixture alone = engine_with(1, false);
  fixture.tick = 0.01;
  std::mt19937_64 random(11);
  RequestId next = 1;
  for (int step = 0; step < 1500; ++step) {
    const EngineStats stats = fixture.engine->stats();
    if (stats.running + stats.waiting < 5 && random() % 12 == 0) {
      CHECK(!fixture.submit(next, fake_prompt(20 + next % 30, next % 5), repetitive(80, 0)));
      ++next;
    }
    if (random() % 90 == 0 && next > 1) fixture.cancel(1 + random() % (next - 1));
    fixture.engine->step();
  }
  CHECK(fixture.run());
  CHECK(fixture.engine->stats().accepted_tokens > 100);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
  for (RequestId id = 1; id < next; ++id) {
    const Story& story = fixture.story(id);
    CHECK_EQ(story.ends.size(), 1u);
    if (story.ends.at(0).reason == FinishReason::kCancelled) continue;
    CHECK(!alone.submit(id, fake_prompt(20 + id % 30, id % 5), repetitive(80, 0)));
    CHECK(alone.run());
    CHECK(alone.story(id).tokens == story.tokens);
  }
}
