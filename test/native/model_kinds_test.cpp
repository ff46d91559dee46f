// Reuse on every kind of memory a model has: experts, sliding windows that
// forget, recurrent states that cannot be truncated, both in one model. The text
// must be the one of an engine that computes each prompt alone and whole.
#include <cstdio>

#include "model_fixture.h"
#include "reuse_talk.h"
#include "synthetic_fixture.h"

using namespace infernode;

namespace {

struct Run {
  const char* architecture;
  std::size_t host_bytes;  // for some states, not all
  std::int32_t slots;
  bool exact = false;
  // Attention over a window sums in the order of its cells, experts by the rows
  // that chose them: F32 throughout tells rounding from mistakes.
  bool f32 = false;
  std::int32_t width = 128;
};

// At this width the F32 matrix of a recurrent layer's time steps has rows of 4. Rows
// that are a multiple of 8 (16 with AVX-512) are summed by another of ggml's routines
// where several are computed at once, which rounds them by who computes beside them.
constexpr std::int32_t kSteadyWidth = 64;

SyntheticShape shape_of(const Run& run) {
  SyntheticShape shape = synthetic_shape(run.architecture);
  shape.width = run.width;
  if (run.f32) shape.type = "f32";
  return shape;
}

std::vector<std::vector<TokenId>> random_texts(std::size_t count, std::size_t length) {
  std::mt19937_64 random(11);
  std::vector<std::vector<TokenId>> texts(count);
  for (auto& text : texts) {
    while (text.size() < length) text.push_back(static_cast<TokenId>(5 + random() % 1200));
  }
  return texts;
}

std::unique_ptr<Backend> backend_of(const std::shared_ptr<const LlamaModel>& model, const Run& run,
                                    std::int32_t slots, LogitRecord& record) {
  ContextOptions options = context_of(slots, 128);
  options.flash_attention = !run.exact && !run.f32;
  options.whole_windows = run.exact;
  if (run.f32) options.kv_type = KvType::kF32;
  return std::make_unique<RecordingBackend>(std::make_unique<LlamaBackend>(model, options), record);
}

Totals hold(const Run& run, float epsilon) {
  const auto model = load_synthetic(shape_of(run));
  LogitRecord reused;
  SteppedEngine engine(
      backend_of(model, run, run.slots, reused), vocab_of(model),
      {.keeps_prefixes = true, .host_limit = run.host_bytes, .deterministic = run.exact});
  engine.tick = 0;  // no copy is too dear
  const Talk said = talk(engine, random_texts(6, 400));
  CHECK_EQ(reused.contradictions, 0);
  CHECK_EQ(said.stats.failed_passes, 0);
  Totals totals;
  for (const Turn& turn : said.turns) {
    LogitRecord whole;
    SteppedEngine alone(backend_of(model, run, 1, whole), vocab_of(model),
                        {.keeps_prefixes = false, .host_limit = 0, .deterministic = run.exact});
    alone.submit(1, turn.prompt, kGenerated);
    alone.run();
    compare(turn, alone.story(1), reused, whole, epsilon, totals);
  }
  const CacheStats& cache = said.stats.cache;
  std::printf(
      "%s%s%s, %d slots: %d turns, %d diverged, largest difference %.2g; %lld tokens reused, "
      "%lld computed, %lld copies, %lld restores\n",
      run.architecture, run.exact ? " exact" : "", run.f32 ? " f32" : "", run.slots, totals.turns,
      totals.diverged, static_cast<double>(totals.largest),
      static_cast<long long>(cache.prompt_tokens_cached),
      static_cast<long long>(said.stats.prompt_tokens_computed),
      static_cast<long long>(cache.copies), static_cast<long long>(cache.host_restores));
  CHECK(cache.prompt_tokens_cached > 2000);
  CHECK_EQ(totals.inexcusable, 0);
  return totals;
}

// Two places; the first two requests are not read and must give theirs to a
// third, the first is forked twice.
void disturb(const Run& run, float epsilon) {
  const auto model = load_synthetic(shape_of(run));
  const auto texts = random_texts(3, 120);
  LogitRecord record;
  SteppedEngine engine(backend_of(model, run, 2, record), vocab_of(model),
                       {.keeps_prefixes = true, .host_limit = run.host_bytes});
  engine.tick = 0;
  engine.sink.acknowledge = false;
  for (RequestId id = 1; id <= 3; ++id) {
    engine.submit(id, texts[id - 1], 300);
    for (int step = 0; step < 40; ++step) engine.step();
  }
  engine.fork(1, 4);
  for (int step = 0; step < 300; ++step) engine.step();
  engine.fork(1, 5);
  engine.sink.acknowledge = true;
  for (auto& [id, control] : engine.sink.controls) control->acknowledged = 1000;
  engine.run();
  CHECK(engine.stats().preemptions > 0);
  CHECK_EQ(record.contradictions, 0);
  LogitRecord whole;
  SteppedEngine alone(backend_of(model, run, 1, whole), vocab_of(model));
  Totals totals;
  for (RequestId id = 1; id <= 5; ++id) {
    const RequestId like = id > 3 ? 1 : id;
    if (id <= 3) {
      alone.submit(id, texts[id - 1], 300);
      alone.run();
    }
    CHECK_EQ(engine.story(id).tokens.size(), 300u);
    compare({texts[like - 1], engine.story(id)}, alone.story(like), record, whole, epsilon, totals);
  }
  CHECK_EQ(totals.inexcusable, 0);
  CHECK(totals.largest <= epsilon);
  if (epsilon <= 0) CHECK_EQ(totals.diverged, 0);
  // The prompts have 360 tokens, the last of each a row of generation. Only where
  // states can be truncated does a fork look for its source's when it is seated.
  const bool can_truncate = std::string_view(run.architecture) == "qwen3moe";
  CHECK_EQ(engine.stats().prompt_tokens_computed, can_truncate ? 600 : 357);
}

// Simultaneous requests compute what they have in common once, those after
// each other twice: by then it is known where they part.
void share(const Run& run, std::int64_t again) {
  const auto model = load_synthetic(synthetic_shape(run.architecture));
  const auto texts = random_texts(6, 150);
  const auto prompt_of = [&](std::size_t index) {
    std::vector<TokenId> prompt = texts[0];
    prompt.insert(prompt.end(), texts[index].begin(), texts[index].begin() + 50);
    return prompt;
  };
  for (const bool at_once : {true, false}) {
    LogitRecord record;
    SteppedEngine engine(backend_of(model, run, run.slots, record), vocab_of(model),
                         {.keeps_prefixes = true, .host_limit = run.host_bytes});
    engine.tick = 0;
    for (std::size_t index = 1; index <= 5; ++index) {
      engine.submit(index, prompt_of(index), 20);
      if (!at_once) engine.run();
    }
    engine.run();
    const std::int64_t distinct = 150 + 5 * 50;
    // The last token of each is a row of generation.
    CHECK_EQ(engine.stats().prompt_tokens_computed, distinct - 5 + (at_once ? 0 : again));
  }
}

}  // namespace

TEST("preempted and forked requests continue as if alone on every kind of memory") {
  for (const char* architecture : {"mamba", "jamba"})
    disturb({architecture, std::size_t{64} << 20, 2, false, false, kSteadyWidth}, 0);
  for (const char* architecture : {"gemma3", "qwen3moe"})
    disturb({architecture, std::size_t{64} << 20, 2, false, true}, 0.01f);
}

TEST("a common prefix of states that cannot be truncated is computed once, or twice") {
  for (const char* architecture : {"mamba", "jamba"})
    share({architecture, std::size_t{64} << 20, 5}, 150);
  share({"gemma3", std::size_t{64} << 20, 5}, 0);  // what a window has left behind is still there
}

TEST("recurrent and mixed models give the same logits to the bit, whatever is reused") {
  for (const char* architecture : {"mamba", "jamba"}) {
    for (const bool exact : {false, true}) {
      for (const std::int32_t slots : {3, 6}) {
        const Run run{architecture, std::size_t{3} << 20, slots, exact, false, kSteadyWidth};
        const Totals totals = hold(run, 0);
        CHECK_EQ(totals.diverged, 0);
        CHECK(totals.largest <= 0);
      }
    }
  }
}

TEST("recurrent models whose time steps round by the number of rows part at near-ties only") {
  for (const char* architecture : {"mamba", "jamba"}) {
    const Totals totals = hold({architecture, std::size_t{3} << 20, 4, false, true}, 0.01f);
    CHECK_EQ(totals.diverged, 0);
    CHECK(totals.largest <= 0.01f);
  }
}

TEST("windows and experts compute the same but for rounding") {
  for (const char* architecture : {"gemma3", "qwen3moe"}) {
    for (const std::int32_t slots : {3, 6}) {
      const Totals totals = hold({architecture, std::size_t{9} << 20, slots, false, true}, 0.01f);
      CHECK(totals.largest <= 0.01f);
    }
  }
  hold({"gemma3", std::size_t{6} << 20, 3, true, false}, 0.4f);
  hold({"gemma3", std::size_t{6} << 20, 3, true, true}, 0.4f);
  hold({"qwen3moe", std::size_t{6} << 20, 3, true, false}, 4.0f);
}
