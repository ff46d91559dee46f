// The prompt queue on the embedded model: whatever allocation of its thread fails, every prompt
// ends exactly once, as out of memory where that was the cause; and so it does in whatever stage it
// is cancelled or the queue closed.
#include "model/prompt_queue.h"
#include "check.h"
#include "failing_allocations.h"
#include "model_fixture.h"

using namespace infernode;

namespace {

constexpr RequestId kFirst = 1;  // tells when the queue's thread is there
constexpr RequestId kEmpty = 8;  // is refused
constexpr RequestId kLast = 9;   // is cancelled

// Arms the allocations of the queue's thread at the first end.
class ArmingSink final : public EventSink {
 public:
  ArmingSink(std::int64_t at, std::int64_t failing) : at_(at), failing_(failing) {}
  void publish(StepEvents&& events) override {
    const bool first = !events.ends.empty() && events.ends[0].id == kFirst;
    StepEvents taken;
    taken.append(std::move(events));
    {
      const Unharmed unharmed;
      story.publish(std::move(taken));
    }
    if (first) fail_allocations(at_, failing_);
  }
  RecordingSink story;

 private:
  const std::int64_t at_;
  const std::int64_t failing_;
};

GenerateParams short_answer() {
  GenerateParams params;
  params.max_tokens = 2;
  params.sampling.temperature = 0;
  return params;
}

Prompt prompt_of(RequestId id) {
  Prompt prompt;
  prompt.id = id;
  prompt.params = short_answer();
  switch (id) {
    case 2:
      prompt.content = PromptText{std::string(20000, 'a'), true, false};
      prompt.most_tokens = 100;
      break;
    case 3:
      prompt.content = PromptFork{2, 7};
      break;
    case 4:
      prompt.content = PromptForm{"Tell a <x>.", {{"<x>", "tale of a fox and a crow"}}};
      prompt.bad_words = {"wolf in the wood"};
      break;
    case 5:
      prompt.content = PromptText{"Once", true, false};
      prompt.grammar = "root ::= \"yes, of course\" | \"no\"";
      break;
    case 6:
      prompt.content = PromptText{"A bird", true, false};
      prompt.params.sampling.dry_multiplier = 1;
      prompt.dry_breakers = {"a breaker of some length", "."};
      prompt.show_special = true;
      break;
    case 7:
      prompt.content = std::vector<TokenId>{5, 6, 7};
      break;
    default:
      prompt.content = std::vector<TokenId>{};
  }
  return prompt;
}

// Whether the armed allocation was reached.
bool all_end(const std::shared_ptr<const LlamaModel>& model, std::int64_t at,
             std::int64_t failing) {
  ArmingSink sink(at, failing);
  Engine engine(std::make_unique<LlamaBackend>(model, context_of(4, 64)), vocab_of(model), sink,
                EngineConfig{}, [] { return 0.0; });
  std::size_t refused = 0;
  {
    PromptQueue queue(model, engine, sink);
    engine.start();
    for (RequestId id = kFirst; id <= kLast; ++id) {
      Prompt prompt = prompt_of(id);
      prompt.control = sink.story.control(id);
      prompt.control->cancelled = id == kFirst || id == kLast;
      queue.push(std::move(prompt));
    }
    sink.story.wait_for_ends(kLast);
  }
  engine.close();
  for (RequestId id = kFirst; id <= kLast; ++id) {
    CHECK_EQ(sink.story.story(id).ends.size(), 1u);
    const End& end = sink.story.story(id).ends.at(0);
    if (id == kFirst || id == kLast) CHECK(end.reason == FinishReason::kCancelled);
    if (id == kEmpty) CHECK(end.failure.has_value());
    if (!end.failure) continue;
    const bool out_of_memory = end.failure->code == ErrorCode::kOutOfMemory;
    // Id 3 is a fork, whose source may have ended before it comes.
    const bool expected =
        (id == kEmpty || id == 3) && end.failure->code == ErrorCode::kInvalidOption;
    if (!expected && !out_of_memory) std::printf("%d: %s\n", int(id), end.failure->message.c_str());
    CHECK(expected || out_of_memory);
    refused += out_of_memory ? 1 : 0;
  }
  return refused > 0;
}

}  // namespace

TEST("whatever allocation of the prompt queue's thread fails, every prompt ends once") {
  const auto model = load_embedded("q8_0");
  for (const std::int64_t failing : {1, 150}) {
    std::int64_t reached = 0;
    for (std::int64_t at = 0; at < 2000; at += 1 + at / 4)
      reached += all_end(model, at, failing) ? 1 : 0;
    std::printf("%d refusals for memory\n", int(reached));
    CHECK(reached > 3);
  }
}

// The engine is not started: its clock is read by the queue's thread alone, as a request arrives.
TEST("a fault of ours in the prompt queue is not the caller's mistake") {
  const auto model = load_embedded("q8_0");
  for (const bool broken_invariant : {true, false}) {
    RecordingSink sink;
    bool thrown = false;
    const auto clock = [&] {
      if (std::exchange(thrown, true)) return 0.0;
      if (broken_invariant) throw BrokenInvariant("the clock stands still");
      throw std::runtime_error("the clock stands still");
    };
    Engine engine(std::make_unique<LlamaBackend>(model, context_of(1, 64)), vocab_of(model), sink,
                  EngineConfig{}, clock);
    {
      PromptQueue queue(model, engine, sink);
      Prompt prompt;
      prompt.id = 1;
      prompt.content = std::vector<TokenId>{5, 6, 7};
      prompt.control = sink.control(1);
      queue.push(std::move(prompt));
      sink.wait_for_end(1);
    }
    engine.close();
    CHECK_EQ(sink.story(1).ends.size(), 1u);
    const Failure& failure = sink.story(1).ends.at(0).failure.value();
    CHECK(failure.code == ErrorCode::kEngineBroken);
    CHECK(failure.message.find("the clock stands still") != std::string::npos);
  }
}

namespace {

constexpr RequestId kLong = 1;  // is tokenized in many slices
constexpr RequestId kIt = 2;    // is cancelled

// Has `work` called on the queue's thread at the first end there.
class CallingSink final : public EventSink {
 public:
  explicit CallingSink(std::function<void()> work) : work_(std::move(work)) {}
  void publish(StepEvents&& events) override {
    if (!std::exchange(called_, true)) work_();
    story.publish(std::move(events));
  }
  RecordingSink story;

 private:
  const std::function<void()> work_;
  bool called_ = false;
};

Prompt long_text(RequestId id) {
  Prompt prompt;
  prompt.id = id;
  prompt.params = short_answer();
  prompt.content = PromptText{std::string(400000, 'a'), true, false};
  prompt.most_tokens = 20;
  return prompt;
}

Prompt fork_of(RequestId source, RequestId id) {
  Prompt prompt;
  prompt.id = id;
  prompt.params = short_answer();
  prompt.content = PromptFork{source, 7};
  return prompt;
}

}  // namespace

// A first prompt without tokens is refused on the queue's thread; what is pushed meanwhile is there
// when it goes on.
TEST("a prompt that is cancelled in any stage of the queue ends once, and so when it closes") {
  const auto model = load_embedded("q8_0");
  for (const bool fork : {false, true}) {
    for (const bool closes : {false, true}) {
      for (const bool begun : {false, true}) {
        PromptQueue* queue = nullptr;
        CallingSink* sink = nullptr;
        const auto push = [&](Prompt prompt) {
          prompt.control = sink->story.control(prompt.id);
          queue->push(std::move(prompt));
        };
        // On the queue's thread: nothing that is pushed now has begun.
        const auto arrive = [&] {
          push(long_text(kLong));
          push(fork ? fork_of(kLong, kIt) : long_text(kIt));
          if (!begun) sink->story.controls.at(kIt)->cancelled = true;
        };
        CallingSink calling(arrive);
        sink = &calling;
        Engine engine(std::make_unique<LlamaBackend>(model, context_of(2, 64)), vocab_of(model),
                      calling, EngineConfig{}, [] { return 0.0; });
        PromptQueue owned(model, engine, calling);
        queue = &owned;
        engine.start();
        Prompt first;
        first.id = kEmpty;
        first.content = std::vector<TokenId>{};
        push(std::move(first));
        calling.story.wait_for_end(kEmpty);
        if (begun) calling.story.control(kIt)->cancelled = true;
        if (closes) queue->close();
        calling.story.wait_for_end(kIt);
        if (!closes) calling.story.wait_for_end(kLong);
        queue->close();
        engine.close();
        CHECK_EQ(calling.story.story(kIt).ends.size(), 1u);
        CHECK(calling.story.story(kIt).ends.at(0).reason == FinishReason::kCancelled);
        CHECK_EQ(calling.story.story(kLong).ends.size(), 1u);
        CHECK_EQ(calling.story.controls.at(kIt).use_count(), 1);
        CHECK_EQ(calling.story.controls.at(kLong).use_count(), 1);
      }
    }
  }
}

TEST("what is pushed into a closed queue ends as closed") {
  const auto model = load_embedded("q8_0");
  RecordingSink sink;
  Engine engine(std::make_unique<LlamaBackend>(model, context_of(2, 64)), vocab_of(model), sink,
                EngineConfig{}, [] { return 0.0; });
  PromptQueue queue(model, engine, sink);
  queue.close();
  Prompt prompt = long_text(kIt);
  prompt.control = sink.control(kIt);
  queue.push(std::move(prompt));
  CHECK(sink.story(kIt).ends.at(0).failure->code == ErrorCode::kEngineClosed);
}
