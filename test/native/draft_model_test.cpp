// A second model that drafts tokens: how far it keeps in step with what requests
// know, what a draft costs in passes, when it is asked and when it is left alone,
// and that no request's text depends on any of it.
#include "core/drafting/draft_model.h"

#include <random>

#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

using Tokens = std::vector<TokenId>;

BackendLimits roomy(std::int32_t slots, std::int32_t context = 2000) {
  BackendLimits limits = fake_limits(slots, context, 64);
  limits.prefill_outputs = 64;
  return limits;
}

std::unique_ptr<FakeBackend> fake_draft(std::uint64_t seed = 7, std::size_t strays = 0,
                                        std::int32_t context = 2000) {
  auto draft = std::make_unique<FakeBackend>(roomy(4, context));
  draft->seed = seed;
  draft->strays = strays;
  return draft;
}

// What the fake model says after these tokens, by itself.
Tokens greedy(const Tokens& prompt, std::size_t count) {
  EngineFixture alone(roomy(1));
  CHECK(!alone.submit(1, prompt, static_cast<std::int32_t>(count)));
  CHECK(alone.run());
  return alone.story(1).tokens;
}

Tokens joined(Tokens first, const Tokens& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

struct DraftFixture {
  explicit DraftFixture(const BackendLimits& limits = roomy(4)) {
    auto owned = std::make_unique<FakeBackend>(limits);
    backend = owned.get();
    model = std::make_unique<DraftModel>(std::move(owned), [this] { return clock; });
    backend->computing = [this](std::size_t rows) { clock += 1 + 0.1 * static_cast<double>(rows); };
  }
  double clock = 0;
  FakeBackend* backend;
  std::unique_ptr<DraftModel> model;
};

// A pass costs the target 10 ms and 0.3 for each row, the draft a tenth of it.
EngineFixture priced(std::int32_t slots, std::unique_ptr<FakeBackend> draft,
                     std::size_t draft_length = 0) {
  return EngineFixture(roomy(slots), 1000, 0, EngineConfig{}.cache, true, std::move(draft),
                       draft_length);
}

void set_prices(EngineFixture& fixture) {
  const auto costs = [&fixture](double pass) {
    return [&fixture, pass](std::size_t rows) {
      fixture.clock += pass * (1 + 0.03 * static_cast<double>(rows));
    };
  };
  fixture.backend->computing = costs(10);
  if (fixture.draft != nullptr) fixture.draft->computing = costs(1);
}

}  // namespace

TEST("a draft is what the model says next, in one pass a token after the text is read") {
  DraftFixture drafting;
  const Tokens text = fake_prompt(100, 1);
  const auto drafts = drafting.model->draft(std::vector<DraftRequest>{{1, text}}, 5);
  CHECK((drafts == std::vector<Tokens>{greedy(text, 5)}));
  // 99 or 98 tokens in two passes of 64 at most, then five.
  CHECK_EQ(drafting.model->passes(), 7);
  drafting.model->check();
}

TEST("accepted draft tokens are not computed again, rejected ones are truncated") {
  DraftFixture drafting;
  Tokens text = fake_prompt(60, 1);
  const Tokens next = greedy(text, 6);
  drafting.model->draft(std::vector<DraftRequest>{{1, text}}, 5);
  const std::int64_t passes = drafting.model->passes();
  const Tokens all_true = joined(text, next);  // five drafted ones and one more
  CHECK_EQ(drafting.model->lag({1, all_true}), 2u);
  const Tokens second_false =
      joined(joined(text, {next[0]}), {static_cast<TokenId>(next[1] == 9 ? 8 : 9)});
  CHECK_EQ(drafting.model->lag({1, second_false}), 1u);
  const auto drafts = drafting.model->draft(std::vector<DraftRequest>{{1, second_false}}, 3);
  CHECK((drafts == std::vector<Tokens>{greedy(second_false, 3)}));
  CHECK_EQ(drafting.model->passes(), passes + 3);
  drafting.model->check();
}

TEST("requests that lack one token and two still share each pass") {
  DraftFixture drafting;
  const Tokens a = fake_prompt(40, 1), b = fake_prompt(70, 2), c = fake_prompt(90, 3);
  drafting.model->draft(std::vector<DraftRequest>{{1, a}, {2, b}, {3, c}}, 4);
  const std::int64_t passes = drafting.model->passes();
  const Tokens longer_a = joined(a, greedy(a, 5)), longer_c = joined(c, {9});
  const auto drafts =
      drafting.model->draft(std::vector<DraftRequest>{{3, longer_c}, {1, longer_a}}, 4);
  CHECK((drafts == std::vector<Tokens>{greedy(longer_c, 4), greedy(longer_a, 4)}));
  CHECK_EQ(drafting.model->passes(), passes + 4);
  CHECK_EQ(drafting.backend->rule_breaks, 0);
  drafting.model->check();
}

TEST("a request with the prefix of an ended one computes only the rest") {
  DraftFixture drafting;
  const Tokens text = fake_prompt(200, 1);
  drafting.model->draft(std::vector<DraftRequest>{{1, text}}, 2);
  const Tokens longer = joined(text, fake_prompt(9, 5));
  CHECK_EQ(drafting.model->lag({2, longer}), longer.size());  // it may still be at work
  drafting.model->release(1);
  CHECK(drafting.model->lag({2, longer}) <= 9);
}

TEST("a long text is read from shortly before its end, and again when the context is full") {
  DraftFixture drafting(roomy(2, 400));
  Tokens text = fake_prompt(3000, 1);
  CHECK_EQ(drafting.model->lag({1, text}), DraftSequences::kTail);
  std::mt19937 random(3);
  for (int step = 0; step < 200; ++step) {
    const auto drafts = drafting.model->draft(std::vector<DraftRequest>{{1, text}}, 4);
    CHECK_EQ(drafts.at(0).size(), 4u);
    const std::size_t kept = random() % 5;
    text = joined(text, {drafts[0].begin(), drafts[0].begin() + static_cast<std::ptrdiff_t>(kept)});
    text.push_back(3);
    drafting.model->check();
  }
  CHECK(drafting.backend->prefill_rows < 2000);
  CHECK_EQ(drafting.backend->rule_breaks, 0);
}

TEST("random texts of four requests leave the books balanced, and drafts right") {
  DraftFixture drafting;
  std::mt19937_64 random(5);
  std::vector<Tokens> texts;
  for (std::uint64_t i = 0; i < 6; ++i) texts.push_back(fake_prompt(5 + i * 30, i % 4));
  for (int step = 0; step < 600; ++step) {
    std::vector<DraftRequest> readers;
    std::vector<std::size_t> who = {0, 1, 2, 3, 4, 5};
    std::shuffle(who.begin(), who.end(), random);
    who.resize(1 + random() % 4);
    for (const std::size_t one : who) readers.push_back({one, texts[one]});
    const std::size_t length = 1 + random() % 4;
    const auto drafts = drafting.model->draft(readers, length);
    CHECK_EQ(drafts.size(), readers.size());
    for (std::size_t i = 0; i < who.size(); ++i) {
      Tokens& text = texts[who[i]];
      if (step % 20 == 0 && text.size() < 400) CHECK(drafts[i] == greedy(text, length));
      const std::size_t kept = random() % (length + 1);
      for (std::size_t k = 0; k < kept; ++k) text.push_back(drafts[i][k]);
      text.push_back(static_cast<TokenId>(2 + random() % 40));
      if (text.size() > 400) text = fake_prompt(5 + random() % 50, random() % 4);
    }
    if (random() % 9 == 0) drafting.model->release(random() % 6);
    drafting.model->check();
  }
  CHECK_EQ(drafting.backend->rule_breaks, 0);
}

TEST("probed with an existing text, it reports in one pass what it would have drafted") {
  DraftFixture drafting;
  const Tokens prompt = fake_prompt(50, 1);
  Tokens text = joined(prompt, greedy(prompt, 12));
  text[text.size() - 4] = text[text.size() - 4] == 9 ? 8 : 9;
  const std::vector<bool> hits = drafting.model->verify({1, text}, 12);
  CHECK_EQ(hits.size(), 12u);
  CHECK((std::vector<bool>{hits.begin(), hits.begin() + 8} == std::vector<bool>(8, true)));
  CHECK(!hits[8]);
  CHECK_EQ(drafting.model->passes(), 2);
  CHECK_EQ(drafting.model->lag({1, text}), 1u);
  drafting.model->check();
}

TEST("a window's draft model begins anew where its past is gone") {
  BackendLimits limits = roomy(2);
  limits.can_truncate = false;
  limits.slack = 4;
  DraftFixture drafting(limits);
  drafting.backend->window = 20;
  Tokens text = fake_prompt(100, 1);
  for (int step = 0; step < 50; ++step) {
    const auto drafts = drafting.model->draft(std::vector<DraftRequest>{{1, text}}, 8);
    CHECK_EQ(drafts.at(0).size(), 8u);
    text.push_back(static_cast<TokenId>(2 + step % 40));
    drafting.model->check();
  }
  CHECK_EQ(drafting.backend->rule_breaks, 0);
}

TEST("a draft model that agrees takes far fewer passes for the same texts") {
  for (const float temperature : {0.0f, 0.02f}) {
    for (const std::int32_t requests : {1, 2, 4}) {
      EngineFixture plain(roomy(4));
      EngineFixture speculating = priced(4, fake_draft(7, temperature > 0 ? 0 : 9));
      set_prices(speculating);
      for (EngineFixture* fixture : {&plain, &speculating}) {
        for (RequestId id = 1; id <= static_cast<RequestId>(requests); ++id)
          CHECK(!fixture->submit(id, fake_prompt(30, id), 200, temperature));
        CHECK(fixture->run());
      }
      for (RequestId id = 1; id <= static_cast<RequestId>(requests); ++id)
        CHECK(plain.story(id).tokens == speculating.story(id).tokens);
      const EngineStats stats = speculating.engine->stats();
      CHECK(stats.model_accepted_tokens * 2 > stats.model_drafted_tokens);
      CHECK(stats.decode_passes * 2 < plain.engine->stats().decode_passes);
      CHECK_EQ(speculating.backend->rule_breaks + speculating.draft->rule_breaks, 0);
    }
  }
}

TEST("a draft model that is always wrong is asked for little more than a hundredth") {
  EngineFixture speculating = priced(2, fake_draft(8));
  set_prices(speculating);
  CHECK(!speculating.submit(1, fake_prompt(60, 1), 1500));
  CHECK(speculating.run());
  const EngineStats stats = speculating.engine->stats();
  CHECK(stats.draft_passes > 5);  // now and then it is
  CHECK(stats.draft_ms < 0.02 * stats.decode_ms);
  CHECK(stats.drafted_tokens < 40);
  CHECK_EQ(speculating.story(1).tokens.size(), 1500u);
}

TEST("a draft model is found out to be good where its price seemed too high at first") {
  EngineFixture speculating = priced(1, fake_draft());
  set_prices(speculating);
  // Rows cost so much that a rate of one half does not pay; nearly one does.
  speculating.backend->computing = [&](std::size_t rows) {
    speculating.clock += 10 + 5 * static_cast<double>(rows - 1);
  };
  CHECK(!speculating.submit(1, fake_prompt(40, 1), 1500));
  CHECK(speculating.run());
  const EngineStats stats = speculating.engine->stats();
  CHECK(stats.model_accepted_tokens > 500);
  CHECK(stats.decode_passes < 1000);
}

TEST("five requests are not drafted for, four are") {
  for (const std::int32_t requests : {4, 5}) {
    EngineFixture speculating = priced(8, fake_draft());
    set_prices(speculating);
    for (RequestId id = 1; id <= static_cast<RequestId>(requests); ++id)
      CHECK(!speculating.submit(id, fake_prompt(30, id), 1500));
    for (int step = 0; step < 80; ++step) speculating.engine->step();  // all generate by then
    const std::int64_t before = speculating.engine->stats().draft_passes;
    for (int step = 0; step < 8; ++step) speculating.engine->step();
    CHECK((speculating.engine->stats().draft_passes > before) == (requests == 4));
    CHECK(speculating.run());
  }
}

TEST("a fixed length is drafted in every step, whether it pays or not") {
  EngineFixture plain(roomy(1));
  EngineFixture good = priced(1, fake_draft(), 4);
  EngineFixture bad = priced(1, fake_draft(8), 4);
  for (EngineFixture* fixture : {&plain, &good, &bad}) {
    CHECK(!fixture->submit(1, fake_prompt(30, 1), 101));
    CHECK(fixture->run());
    CHECK(fixture->story(1).tokens == plain.story(1).tokens);
  }
  // The first token comes from the prompt, then five a pass.
  CHECK_EQ(good.engine->stats().decode_passes, 20);
  CHECK_EQ(good.engine->stats().model_accepted_tokens, good.engine->stats().model_drafted_tokens);
  CHECK(bad.engine->stats().decode_passes > 90);
}

TEST("a failing draft model costs its drafts and nothing else") {
  for (const DecodeStatus status :
       {DecodeStatus::kFailed, DecodeStatus::kNoRoom, DecodeStatus::kInvalid}) {
    EngineFixture plain(roomy(3));
    EngineFixture speculating = priced(3, fake_draft(), 4);
    speculating.draft->poison(7, status);
    for (EngineFixture* fixture : {&plain, &speculating}) {
      for (RequestId id = 1; id <= 30; ++id) CHECK(!fixture->submit(id, fake_prompt(20, id), 40));
      CHECK(fixture->run());
    }
    for (RequestId id = 1; id <= 30; ++id) {
      CHECK(speculating.story(id).ends.at(0).reason == FinishReason::kLength);
      CHECK(speculating.story(id).tokens == plain.story(id).tokens);
    }
    const EngineStats stats = speculating.engine->stats();
    CHECK_EQ(stats.failed_passes, 0);
    CHECK(stats.draft_failures > 0);
    CHECK(stats.draft_failures <= 30);
    CHECK_EQ(speculating.draft->rule_breaks, 0);
  }
}

TEST("a draft model that fails and fails is asked no more") {
  EngineFixture speculating = priced(1, fake_draft(), 4);
  for (TokenId token = 0; token < 50; ++token)
    speculating.draft->poison(token, DecodeStatus::kFailed);
  speculating.draft->interrupt();
  for (RequestId id = 1; id <= 40; ++id) CHECK(!speculating.submit(id, fake_prompt(20, id), 10));
  CHECK(speculating.run());
  CHECK_EQ(speculating.engine->stats().draft_failures, 8);
  CHECK_EQ(speculating.story(40).tokens.size(), 10u);
}

TEST("an engine with a draft model may be closed at any moment") {
  for (int spins = 0; spins < 40; ++spins) {
    EngineFixture speculating = priced(2, fake_draft(), 3);
    speculating.engine->start();
    CHECK(!speculating.submit(1, fake_prompt(20, 1), 1500));
    CHECK(!speculating.submit(2, fake_prompt(20, 2), 1500));
    speculating.sink.wait_for_stories(static_cast<std::size_t>(spins % 3));
    speculating.engine->close();
    for (const RequestId id : {1u, 2u}) CHECK_EQ(speculating.story(id).ends.size(), 1u);
  }
}
