// How likely a prompt's tokens were: told row by row, right whatever else is computed, once each,
// and in passes that have no more logits than the backend keeps.
#include <cmath>

#include "backend_passes.h"
#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

GenerateParams scoring(std::int32_t top, std::int32_t max_tokens = 4) {
  GenerateParams params;
  params.max_tokens = max_tokens;
  params.ignore_eos = true;
  params.sampling.temperature = 0;
  params.prompt_log_probs = top;
  return params;
}

// The logits after each token but the last, by the rules of the fake alone.
std::vector<std::vector<float>> rows_of(const std::vector<TokenId>& prompt) {
  FakeBackend backend(fake_limits(1));
  std::vector<std::vector<float>> rows;
  for (std::size_t i = 0; i + 1 < prompt.size(); ++i) {
    const BatchRow row{prompt[i], 0, static_cast<Position>(i), true};
    CHECK(run_decode(backend, {&row, 1}, false) == DecodeStatus::kOk);
    const auto logits = backend.logits(0);
    rows.emplace_back(logits.begin(), logits.end());
  }
  return rows;
}

void compare(const std::vector<TokenId>& prompt, const std::vector<PromptLogProb>& told,
             std::size_t top) {
  const auto rows = rows_of(prompt);
  CHECK_EQ(told.size(), rows.size());
  for (std::size_t i = 0; i < std::min(told.size(), rows.size()); ++i) {
    double total = 0;
    for (const float logit : rows[i]) total += std::exp(double{logit});
    const TokenId next = prompt[i + 1];
    const float own = rows[i][static_cast<std::size_t>(next)];
    CHECK_EQ(told[i].probs.chosen.token, next);
    CHECK(std::abs(double{told[i].probs.chosen.log_prob} - (double{own} - std::log(total))) < 1e-4);
    CHECK_EQ(told[i].rank,
             1 + std::ranges::count_if(rows[i], [&](float other) { return other > own; }));
    CHECK_EQ(told[i].probs.top.size(), top);
    if (top > 0) {
      const auto best = std::ranges::max_element(rows[i]) - rows[i].begin();
      CHECK_EQ(told[i].probs.top.front().token, static_cast<TokenId>(best));
    }
  }
}

BackendLimits few_outputs(BackendLimits limits, std::int32_t outputs) {
  limits.prefill_outputs = outputs;
  return limits;
}

struct Layout {
  BackendLimits limits;
  const char* name;
};

std::vector<Layout> layouts() {
  BackendLimits kept_whole = fake_limits(4, 512, 64);
  kept_whole.can_truncate = kept_whole.rolls_back = false;
  return {{few_outputs(fake_limits(4, 512, 64), 4), "streams"},
          {few_outputs(fake_limits(4, 512, 64), 16), "streams with more outputs"},
          {few_outputs(pooled(fake_limits(4, 512, 64)), 4), "a pool"},
          {few_outputs(pooled(fake_limits(4, 512, 64)), 16), "a pool with more outputs"},
          {few_outputs(kept_whole, 4), "states that cannot be truncated"}};
}

}  // namespace

TEST("prompts of every length are scored, alone and among others, in every layout") {
  for (const auto& [limits, name] : layouts()) {
    EngineFixture fixture(limits);
    const std::vector<std::size_t> lengths = {1, 2, 3, 5, 16, 17, 65, 130, 300};
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      CHECK(!fixture.submit(2 * i, fake_prompt(lengths[i], i), scoring(3)));
      CHECK(!fixture.submit(2 * i + 1, fake_prompt(lengths[i], 100 + i), 20));
    }
    CHECK(fixture.run());
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      compare(fake_prompt(lengths[i], i), fixture.story(2 * i).prompt_log_probs, 3);
      CHECK(fixture.story(2 * i + 1).prompt_log_probs.empty());
      CHECK_EQ(fixture.story(2 * i).tokens.size(), 4u);
    }
    CHECK_EQ(fixture.backend->rule_breaks, 0);
    CHECK_EQ(fixture.sink.late_prompts, 0);
    CHECK_EQ(fixture.engine->stats().cache.cells_used, 0);
  }
}

TEST("scored rows are computed again, and later requests reuse them") {
  for (const auto& [limits, name] : layouts()) {
    EngineFixture fixture(limits);
    const auto prompt = fake_prompt(120, 1);
    CHECK(!fixture.submit(1, prompt, 4));
    CHECK(fixture.run());
    CHECK(!fixture.submit(2, prompt, scoring(0)));
    CHECK(fixture.run());
    CHECK_EQ(fixture.story(2).ends.at(0).usage.cached_prompt_tokens, 0);
    compare(prompt, fixture.story(2).prompt_log_probs, 0);
    CHECK(fixture.story(2).tokens == fixture.story(1).tokens);
    CHECK(!fixture.submit(3, prompt, 4));
    CHECK(fixture.run());
    CHECK(fixture.story(3).ends.at(0).usage.cached_prompt_tokens >= 100);
    CHECK_EQ(fixture.backend->rule_breaks, 0);
  }
}

TEST("a prompt's tokens are published with the acceptance, not again for a fork") {
  EngineFixture fixture(fake_limits(2));
  GenerateParams params = scoring(1, 30);
  params.prompt_tokens = true;
  CHECK(!fixture.submit(1, fake_prompt(20, 1), params));
  for (int step = 0; step < 25; ++step) fixture.engine->step();
  CHECK(!fixture.engine->fork(1, 2, 2, fixture.sink.control(2)));
  CHECK(fixture.run());
  CHECK(fixture.story(1).prompt == fake_prompt(20, 1));
  CHECK(fixture.story(2).prompt.empty());
  CHECK(fixture.story(2).prompt_log_probs.empty());
  CHECK_EQ(fixture.story(2).tokens.size(), 30u);
}

TEST("one that is cancelled in the middle of its prompt ends once and leaves nothing") {
  for (const auto& [limits, name] : layouts()) {
    EngineFixture fixture(limits);
    CHECK(!fixture.submit(1, fake_prompt(300, 1), scoring(2)));
    for (int step = 0; step < 2; ++step) fixture.engine->step();
    fixture.cancel(1);
    CHECK(fixture.run());
    CHECK(fixture.story(1).ends.at(0).reason == FinishReason::kCancelled);
    CHECK(fixture.story(1).prompt_log_probs.size() < 299);
    CHECK_EQ(fixture.engine->stats().cache.cells_used, 0);
  }
}

TEST("scores published before a failing pass or a preemption are not published again") {
  for (const bool pool : {false, true}) {
    BackendLimits limits = few_outputs(fake_limits(3, 512, 64), 8);
    if (pool) limits = pooled(limits, 520);
    EngineFixture fixture(limits);
    int passes = 0;
    fixture.backend->mishap = [&] {
      ++passes;
      if (passes % 11 == 0) return DecodeStatus::kFailed;
      return passes % 7 == 0 ? DecodeStatus::kNoRoom : DecodeStatus::kOk;
    };
    for (RequestId id = 1; id <= 3; ++id)
      CHECK(!fixture.submit(id, fake_prompt(150, id), scoring(1, 40)));
    CHECK(fixture.run());
    CHECK(fixture.engine->stats().preemptions > 0);
    for (RequestId id = 1; id <= 3; ++id) {
      const Story& story = fixture.story(id);
      if (story.ends.at(0).reason == FinishReason::kError) continue;
      compare(fake_prompt(150, id), story.prompt_log_probs, 1);
      CHECK_EQ(story.tokens.size(), 40u);
    }
    CHECK_EQ(fixture.backend->rule_breaks, 0);
  }
}

namespace {

// A model that computes no numbers for one of its rows.
class BrokenRow final : public Backend {
 public:
  explicit BrokenRow(const BackendLimits& limits) : inner_(limits) {}
  const BackendLimits& limits() const override { return inner_.limits(); }
  DecodeStatus submit(const PassRows& pass) override {
    if (!pass.one_row_each) rows_.assign(pass.rows.begin(), pass.rows.end());
    return inner_.submit(pass);
  }
  DecodeStatus wait() override { return inner_.wait(); }
  void use_adapters(const AdapterScales& scales) override { inner_.use_adapters(scales); }
  std::span<float> logits(std::size_t row) override {
    const std::span<float> values = inner_.logits(row);
    if (row < rows_.size() && rows_[row].token == 49) std::ranges::fill(values, NAN);
    return values;
  }
  std::span<const float> embedding(std::size_t row) override { return inner_.embedding(row); }
  bool truncate(SequenceId sequence, Position from) override {
    return inner_.truncate(sequence, from);
  }
  Position reusable(SequenceId sequence, Position length) const override {
    return inner_.reusable(sequence, length);
  }
  std::vector<std::uint8_t> save(SequenceId sequence, std::size_t at_most) override {
    return inner_.save(sequence, at_most);
  }
  bool has_form(std::span<const std::uint8_t> state, Position length) const override {
    return inner_.has_form(state, length);
  }
  bool restore(SequenceId sequence, std::span<const std::uint8_t> state) override {
    return inner_.restore(sequence, state);
  }
  void share(SequenceId from, SequenceId to, Position length) override {
    inner_.share(from, to, length);
  }
  Position resident(SequenceId sequence) const override { return inner_.resident(sequence); }
  void interrupt() override { inner_.interrupt(); }
  std::int64_t setups_reused() const override { return inner_.setups_reused(); }

 private:
  FakeBackend inner_;
  std::vector<BatchRow> rows_;
};

}  // namespace

TEST("a row of NaN ends the request that it scores, and no other") {
  RecordingSink sink;
  EngineConfig config;
  config.check_ledger = true;
  Engine engine(std::make_unique<BrokenRow>(few_outputs(pooled(fake_limits(2)), 16)),
                std::make_shared<FakeVocab>(50), sink, config, [] { return 0.0; });
  auto broken = fake_prompt(40, 1);
  broken[38] = 49;  // the last row but one: the pass also has the row that would be sampled
  CHECK(!engine.submit(1, broken, scoring(1), sink.control(1)));
  CHECK(!engine.submit(2, fake_prompt(40, 2), scoring(1), sink.control(2)));
  while (engine.step()) continue;
  const Story& story = sink.story(1);
  CHECK(story.ends.at(0).reason == FinishReason::kError);
  CHECK(story.ends.at(0).failure->code == ErrorCode::kDecodeFailed);
  CHECK(story.tokens.empty());
  compare(fake_prompt(40, 2), sink.story(2).prompt_log_probs, 1);
  CHECK_EQ(engine.stats().running, 0);
}
