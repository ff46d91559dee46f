// An engine over the fake backend, stepped by hand with a clock that only
// moves when told, and a sink that keeps each request's story.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "check.h"
#include "core/engine.h"
#include "fake_backend.h"

namespace infernode {

struct Story {
  std::vector<TokenId> tokens;
  std::string text;
  std::vector<End> ends;
  std::vector<TokenId> prompt;
  std::vector<PromptLogProb> prompt_log_probs;
};

class RecordingSink final : public EventSink {
 public:
  void publish(StepEvents&& events) override {
    const std::lock_guard lock(mutex);
    ++publications;
    for (const RequestId id : events.accepted) ++accepted[id];
    for (PromptTokens& prompt : events.prompts) {
      std::vector<TokenId>& told = stories[prompt.id].prompt;
      told.insert(told.end(), prompt.tokens.begin(), prompt.tokens.end());
    }
    for (PromptLogProbs& prompt : events.prompt_log_probs) {
      Story& story = stories[prompt.id];
      if (!story.tokens.empty() || accepted[prompt.id] != 1) ++late_prompts;
      for (PromptLogProb& token : prompt.tokens) story.prompt_log_probs.push_back(std::move(token));
    }
    for (Delta& delta : events.deltas) {
      if (accepted[delta.id] != 1) ++deltas_before_acceptance;
      Story& story = stories[delta.id];
      if (delta.token != kNoToken) story.tokens.push_back(delta.token);
      story.text += delta.text;
      if (acknowledge && controls.contains(delta.id)) ++controls[delta.id]->acknowledged;
    }
    for (End& end : events.ends) stories[end.id].ends.push_back(end);
    ended += events.ends.size();
    published.notify_all();
  }

  // The control of a request, made at the first asking. Like all below, safe
  // while the engine's thread runs.
  std::shared_ptr<RequestControl> control(RequestId id) {
    const std::lock_guard lock(mutex);
    auto& control = controls[id];
    if (!control) control = std::make_shared<RequestControl>();
    return control;
  }
  // Stays where it is; read it when its request has ended or the engine rests.
  const Story& story(RequestId id) {
    const std::lock_guard lock(mutex);
    return stories[id];
  }
  void wait_for_stories(std::size_t count) {
    std::unique_lock lock(mutex);
    published.wait(lock, [&] { return stories.size() >= count; });
  }
  void wait_for_ends(std::size_t count) {
    std::unique_lock lock(mutex);
    published.wait(lock, [&] { return ended >= count; });
  }
  void wait_for_end(RequestId id) {
    std::unique_lock lock(mutex);
    published.wait(lock, [&] { return !stories[id].ends.empty(); });
  }

  bool acknowledge = true;  // false: events are not read
  std::map<RequestId, std::shared_ptr<RequestControl>> controls;
  std::map<RequestId, Story> stories;
  std::map<RequestId, int> accepted;  // how often each was told
  std::int64_t deltas_before_acceptance = 0;
  std::int64_t late_prompts = 0;  // told before acceptance or after a first token
  std::int64_t publications = 0;
  std::size_t ended = 0;
  std::mutex mutex;
  std::condition_variable published;
};

struct EngineFixture {
  explicit EngineFixture(BackendLimits limits, std::size_t queue_limit = 1000,
                         double publish_interval_ms = 0, CacheConfig cache = EngineConfig{}.cache,
                         bool speculates = false, std::unique_ptr<FakeBackend> drafts = nullptr,
                         std::size_t draft_length = 0) {
    draft = drafts.get();
    auto owned = std::make_unique<FakeBackend>(limits);
    backend = owned.get();
    EngineConfig config;
    config.queue_limit = queue_limit;
    config.check_ledger = true;
    config.cache = cache;
    config.publish_interval_ms = publish_interval_ms;
    config.drafting.enabled = speculates;
    config.drafting.draft_length = draft_length;
    config.drafting.draft_price = 0.1;
    engine = std::make_unique<Engine>(
        std::move(owned), std::make_shared<FakeVocab>(limits.vocabulary_size), sink, config,
        [this] { return tick > 0 ? clock += tick : clock; }, std::move(drafts));
  }

  std::optional<Failure> submit(RequestId id, std::vector<TokenId> prompt, std::int32_t max_tokens,
                                float temperature = 0, std::vector<std::string> stop = {}) {
    GenerateParams params;
    params.max_tokens = max_tokens;
    params.ignore_eos = true;
    params.stop = std::move(stop);
    params.sampling.temperature = temperature;
    params.sampling.seed = id;
    return submit(id, std::move(prompt), std::move(params));
  }

  std::optional<Failure> submit(RequestId id, std::vector<TokenId> prompt, GenerateParams params) {
    return engine->submit(id, std::move(prompt), std::move(params), sink.control(id));
  }

  void cancel(RequestId id) {
    sink.control(id)->cancelled = true;
    engine->wake();
  }

  // Steps until nothing is left to compute; false when that takes too long.
  bool run(int steps = 100000) {
    while (steps-- > 0) {
      if (!engine->step()) return true;
    }
    return false;
  }

  const Story& story(RequestId id) { return sink.story(id); }

  RecordingSink sink;
  double clock = 0;
  double tick = 0;  // how far the clock moves whenever it is read
  FakeBackend* backend = nullptr;
  FakeBackend* draft = nullptr;  // may be absent
  std::unique_ptr<Engine> engine;
};

inline BackendLimits fake_limits(std::int32_t slots, std::int32_t context = 512,
                                 std::int32_t chunk = 64) {
  BackendLimits limits;
  limits.slots = slots;
  limits.context_length = context;
  limits.prefill_capacity = chunk;
  limits.vocabulary_size = 50;
  return limits;
}

// The same with one pool of cells; 0: as many as all slots can use.
inline BackendLimits pooled(BackendLimits limits, std::int32_t cells = 0) {
  limits.unified = true;
  limits.rectangular = false;
  limits.cells = cells > 0 ? cells : limits.slots * limits.context_length;
  limits.idle_sequences = limits.slots;
  return limits;
}

inline GenerateParams greedy(std::int32_t max_tokens) {
  GenerateParams params;
  params.max_tokens = max_tokens;
  params.ignore_eos = true;
  params.sampling.temperature = 0;
  return params;
}

// What an engine answers that does nothing else.
inline std::vector<TokenId> tokens_alone(const std::vector<TokenId>& prompt,
                                         std::int32_t max_tokens) {
  EngineFixture fixture(fake_limits(1, 1024), 10, 0, {.keeps_prefixes = false});
  CHECK(!fixture.submit(1, prompt, greedy(max_tokens)));
  CHECK(fixture.run());
  return fixture.story(1).tokens;
}

inline std::vector<TokenId> fake_prompt(std::size_t length, std::uint64_t salt) {
  std::vector<TokenId> prompt;
  for (std::size_t i = 0; i < length; ++i) {
    salt = fake_hash(salt, static_cast<TokenId>(i));
    prompt.push_back(static_cast<TokenId>(2 + salt % 40));
  }
  return prompt;
}

}  // namespace infernode
