// How likely our engine says a prompt's tokens are, against one plain pass of llama.cpp over the
// whole prompt with the logits of every row: alone, among others, in both layouts, and with and
// without what others computed.
//
// Prompts that tell are read in small pieces, so rows are rounded as in mixed batches
// (parity_test.cpp): the bars are those of logits there, twice, for a log-probability is a
// difference of two of them.
#include <cmath>
#include <cstdio>
#include <random>

#include "check.h"
#include "llama_cpu_backend.h"
#include "llama_reference.h"
#include "model_fixture.h"

using namespace infernode;

namespace {

using Rows = std::vector<std::vector<float>>;

// All logits of a prompt, by llama.cpp in one batch.
Rows plain_pass(llama_model* model, std::vector<llama_token> prompt, bool flash_attention) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = static_cast<std::uint32_t>(prompt.size());
  params.n_threads = params.n_threads_batch = 1;
  if (!flash_attention) params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  const std::unique_ptr<llama_context, void (*)(llama_context*)> context(
      llama_init_from_model(model, params), llama_free);
  CHECK(context != nullptr);
  llama_batch batch = llama_batch_get_one(prompt.data(), static_cast<std::int32_t>(prompt.size()));
  std::vector<std::int8_t> all(prompt.size(), 1);
  batch.logits = all.data();
  CHECK_EQ(llama_decode(context.get(), batch), 0);
  const auto width = static_cast<std::size_t>(
      llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(context.get()))));
  Rows rows;
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    const float* row = llama_get_logits_ith(context.get(), static_cast<std::int32_t>(i));
    rows.emplace_back(row, row + width);
  }
  return rows;
}

double log_prob_of(const std::vector<float>& row, TokenId token) {
  const auto maximum = static_cast<double>(*std::ranges::max_element(row));
  double total = 0;
  for (const float logit : row) total += std::exp(double{logit} - maximum);
  return double{row[static_cast<std::size_t>(token)]} - maximum - std::log(total);
}

struct Found {
  double largest = 0;
  std::int64_t tokens = 0;
};

void compare(const std::vector<TokenId>& prompt, const Rows& rows, const Story& story,
             Found& found) {
  CHECK_EQ(story.prompt_log_probs.size(), prompt.size() - 1);
  for (std::size_t i = 0; i + 1 < prompt.size(); ++i) {
    const LogProbs& told = story.prompt_log_probs[i].probs;
    CHECK_EQ(told.chosen.token, prompt[i + 1]);
    double off = std::abs(double{told.chosen.log_prob} - log_prob_of(rows[i], prompt[i + 1]));
    for (const TokenLogProb& one : told.top)
      off = std::max(off, std::abs(double{one.log_prob} - log_prob_of(rows[i], one.token)));
    if (!(off <= found.largest)) found.largest = std::isnan(off) ? INFINITY : off;
    ++found.tokens;
  }
}

GenerateParams scoring() {
  GenerateParams params;
  params.max_tokens = 1;
  params.ignore_eos = true;
  params.sampling.temperature = 0;
  params.prompt_log_probs = 3;
  return params;
}

struct Case {
  const char* type;
  bool flash_attention;
  double bar;
};

void hold(const Case& how, bool pool) {
  const auto model = load_embedded(how.type);
  const auto texts = model_texts(model, 3, 400);
  std::vector<std::vector<TokenId>> prompts;
  std::mt19937_64 random(7);
  for (const std::size_t length : {2u, 3u, 9u, 64u, 65u, 200u, 390u})
    prompts.push_back(make_prompt(random, prompts.size(), length, model->vocab().size(), texts));
  ContextOptions options = context_of(4, 128);
  options.flash_attention = how.flash_attention;
  if (pool) options.cells = 4 * kEmbeddedContext;
  CacheConfig cache = kNoPrefixes;
  cache.keeps_prefixes = true;
  SteppedEngine engine(std::make_unique<LlamaBackend>(model, options), vocab_of(model), cache);
  Found alone;
  Found among;
  Found again;
  RequestId next = 0;
  std::vector<Rows> rows;
  for (const auto& prompt : prompts) {
    rows.push_back(plain_pass(model->handle(), prompt, how.flash_attention));
    engine.submit(next, prompt, scoring());
    engine.run();
    compare(prompt, rows.back(), engine.story(next++), alone);
  }
  // What is in the cache now are these very prompts, and others generate meanwhile.
  for (RequestId id = 100; id < 103; ++id) engine.submit(id, texts[id - 100], 60, 1.0f);
  const RequestId first = next;
  for (const auto& prompt : prompts) engine.submit(next++, prompt, scoring());
  engine.run();
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const Story& story = engine.story(first + i);
    CHECK_EQ(story.ends.at(0).usage.cached_prompt_tokens, 0);
    compare(prompts[i], rows[i], story, among);
  }
  // One that tells nothing takes what those have computed, and says the same.
  engine.submit(200, prompts.back(), 1);
  engine.run();
  CHECK(engine.story(200).ends.at(0).usage.cached_prompt_tokens > 300);
  engine.submit(201, prompts.back(), scoring());
  engine.run();
  compare(prompts.back(), rows.back(), engine.story(201), again);
  std::printf("%s%s%s: off by %.1e alone, %.1e among others, %.1e again, of %lld tokens\n",
              how.type, how.flash_attention ? "" : " without flash attention",
              pool ? ", one pool" : "", alone.largest, among.largest, again.largest,
              static_cast<long long>(alone.tokens + among.tokens + again.tokens));
  for (const Found& found : {alone, among, again}) CHECK(found.largest <= how.bar);
  CHECK_EQ(engine.stats().failed_passes, 0);
  CHECK_EQ(engine.stats().cache.cells_used, 0);
}

}  // namespace

TEST("a prompt's log-probabilities are those of llama.cpp's plain pass") {
  for (const bool pool : {false, true}) {
    hold({"f32", false, 2e-2}, pool);
    hold({"f32", true, 2e-1}, pool);
    hold({"q8_0", true, 8e-1}, pool);
  }
}
