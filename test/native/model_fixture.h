// The embedded model and its variants for native tests, on the real backend,
// and prompts in its world. Variants are made by tools/embedded-model/
// variants.mjs into .build/variants; ctest does that before these tests.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine_fixture.h"
#include "model/host_limits.h"
#include "model/llama_backend.h"
#include "model/llama_model.h"
#include "model/llama_runtime.h"

namespace infernode {

constexpr TokenId kBeginOfText = 0;  // the embedded model's
constexpr std::int32_t kEmbeddedContext = 1024;

inline std::string embedded_path(const std::string& type) {
  if (type == "q8_0") return "assets/tinytale-q8_0.gguf";
  return ".build/variants/tinytale-" + type + ".gguf";
}

inline std::shared_ptr<const LlamaModel> load_embedded(const std::string& type) {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const std::string path = embedded_path(type);
  if (!std::filesystem::exists(path)) {
    throw std::runtime_error(path +
                             " is missing: node tools/embedded-model/variants.mjs "
                             "--out .build/variants makes it, ctest does so too");
  }
  const std::atomic<bool> cancelled{false};
  return LlamaModel::load({.path = path}, nullptr, cancelled);
}

inline std::shared_ptr<const Vocab> vocab_of(const std::shared_ptr<const LlamaModel>& model) {
  return {model, &model->vocab()};
}

inline ContextOptions context_of(std::int32_t slots, std::int32_t prefill_chunk = 512,
                                 std::int32_t context_length = kEmbeddedContext) {
  ContextOptions options;
  options.slots = slots;
  options.context_length = context_length;
  options.prefill_chunk = prefill_chunk;
  options.threads = 1;
  return options;
}

// Every prompt is computed whole, as llama.cpp's own programs do.
constexpr CacheConfig kNoPrefixes{
    .keeps_prefixes = false, .host_limit = std::size_t{1} << 30, .deterministic = false};

// An engine over any backend, stepped by hand; its clock moves a millisecond
// whenever it is read, so that nothing depends on the machine's speed.
class SteppedEngine {
 public:
  SteppedEngine(std::unique_ptr<Backend> backend, std::shared_ptr<const Vocab> vocab,
                CacheConfig cache = kNoPrefixes)
      : engine_(std::move(backend), std::move(vocab), sink, config(cache),
                [this] { return now_ += tick; }) {}

  // Greedy, and on past the model's end tokens.
  void submit(RequestId id, std::vector<TokenId> prompt, std::int32_t max_tokens,
              float temperature = 0) {
    GenerateParams params;
    params.max_tokens = max_tokens;
    params.ignore_eos = true;
    params.sampling.temperature = temperature;
    params.sampling.top_p = 1;
    params.sampling.seed = id;
    const auto failure = engine_.submit(id, std::move(prompt), params, sink.control(id));
    if (failure) throw std::runtime_error(failure->message);
  }

  void submit(RequestId id, std::vector<TokenId> prompt, const GenerateParams& params) {
    const auto failure = engine_.submit(id, std::move(prompt), params, sink.control(id));
    if (failure) throw std::runtime_error(failure->message);
  }

  void fork(RequestId source, RequestId id) {
    const auto failure = engine_.fork(source, id, id, sink.control(id));
    if (failure) throw std::runtime_error(failure->message);
  }
  void cancel(RequestId id) { sink.control(id)->cancelled = true; }
  bool step() { return engine_.step(); }
  void run() {
    while (engine_.step()) continue;
  }
  EngineStats stats() const { return engine_.stats(); }
  const Story& story(RequestId id) { return sink.story(id); }

  RecordingSink sink;
  double tick = 1;  // milliseconds a look at the clock takes; 0: everything is free

 private:
  static EngineConfig config(CacheConfig cache) {
    EngineConfig config;
    config.check_ledger = true;
    config.cache = cache;
    config.publish_interval_ms = 0;  // each step tells what it computed
    return config;
  }

  double now_ = 0;
  Engine engine_;
};

// Texts of the model's own making, drawn at temperature 1, of `length` tokens.
inline std::vector<std::vector<TokenId>> model_texts(const std::shared_ptr<const LlamaModel>& model,
                                                     std::int32_t count, std::int32_t length) {
  SteppedEngine engine(std::make_unique<LlamaBackend>(model, context_of(count)), vocab_of(model));
  for (RequestId id = 1; id <= static_cast<RequestId>(count); ++id)
    engine.submit(id, {kBeginOfText}, length, 1.0f);
  engine.run();
  std::vector<std::vector<TokenId>> texts;
  for (const auto& [id, story] : engine.sink.stories) texts.push_back(story.tokens);
  return texts;
}

// Every other prompt is a piece of a text, the rest are tokens at random.
inline std::vector<TokenId> make_prompt(std::mt19937_64& random, std::size_t index,
                                        std::size_t length, std::int32_t vocabulary_size,
                                        const std::vector<std::vector<TokenId>>& texts) {
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  std::vector<TokenId> prompt{kBeginOfText};
  const std::vector<TokenId>& text = texts.at(below(texts.size()));
  const std::size_t start = text.size() < length ? 0 : below(text.size() - length + 1);
  while (prompt.size() < length) {
    const bool at_random = index % 2 == 1 || start + prompt.size() >= text.size();
    prompt.push_back(at_random
                         ? static_cast<TokenId>(below(static_cast<std::size_t>(vocabulary_size)))
                         : text[start + prompt.size()]);
  }
  return prompt;
}

inline std::int64_t number_from_environment(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

}  // namespace infernode
