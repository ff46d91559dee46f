// Every architecture that can be made of random weights against llama.cpp
// itself: prompts with beginnings in common, several at once, reused
// by our engine; alone, whole and with whole windows by the reference.
#include <cstdio>

#include "llama_reference.h"
#include "model_fixture.h"
#include "reuse_talk.h"
#include "synthetic_fixture.h"

using namespace infernode;

namespace {

constexpr std::size_t kPrompts = 10;
// What F32 weights differ by: an F16 cache, and GELU's table in Gemma 3.
constexpr float kRounding = 0.05f;

std::vector<std::vector<TokenId>> prompts() {
  std::mt19937_64 random(17);
  std::vector<std::vector<TokenId>> all;
  for (std::size_t index = 0; index < kPrompts; ++index) {
    std::vector<TokenId> prompt;
    if (index % 3 > 0) prompt = all[index - index % 3];
    const std::size_t length = prompt.size() + 10 + random() % 200;
    while (prompt.size() < length) prompt.push_back(static_cast<TokenId>(5 + random() % 1200));
    all.push_back(std::move(prompt));
  }
  return all;
}

void hold(const std::string& architecture) {
  SyntheticShape shape = synthetic_shape(architecture);
  shape.type = "f32";
  const auto model = load_synthetic(shape);
  const auto all = prompts();
  LogitRecord record;
  ContextOptions options = context_of(4, 64);
  options.flash_attention = false;
  SteppedEngine engine(
      std::make_unique<RecordingBackend>(std::make_unique<LlamaBackend>(model, options), record),
      vocab_of(model), {.keeps_prefixes = true, .host_limit = std::size_t{32} << 20});
  engine.tick = 0;
  for (std::size_t index = 0; index < all.size(); ++index) {
    engine.submit(index + 1, all[index], kGenerated);
    for (int step = 0; step < 3; ++step) engine.step();
  }
  engine.run();
  CHECK(engine.stats().cache.prompt_tokens_cached > 200);
  const LlamaReference reference(model->handle(), {.flash_attention = false});
  float largest = 0;
  int parted = 0;
  for (std::size_t index = 0; index < all.size(); ++index) {
    const std::vector<TokenId>& told = engine.story(index + 1).tokens;
    const auto rows = reference.logits(all[index], told);
    std::vector<TokenId> known = all[index];
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const LogitRow& ours = record.rows.at(known);
      for (std::size_t token = 0; token < ours.size(); ++token)
        largest = std::max(largest, std::abs(ours[token] - rows[row][token]));
      const auto best = std::ranges::max_element(rows[row]) - rows[row].begin();
      if (best != told[row]) {
        ++parted;
        CHECK(lead_of(rows[row]) < 2 * kRounding);
      }
      known.push_back(told[row]);
    }
  }
  std::printf("%s: largest difference %.2g, %d of %zu tokens another\n", architecture.c_str(),
              static_cast<double>(largest), parted, all.size() * kGenerated);
  CHECK(largest < kRounding);
}

}  // namespace

TEST("transformers give llama.cpp's logits and greedy text") {
  for (const char* architecture : {"llama", "qwen2", "qwen3", "qwen3moe"}) hold(architecture);
}
TEST("a sliding window gives llama.cpp's logits and greedy text") { hold("gemma3"); }
TEST("recurrent and mixed models give llama.cpp's logits and greedy text") {
  for (const char* architecture : {"mamba", "jamba"}) hold(architecture);
}
