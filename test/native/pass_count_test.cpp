// How many times llama.cpp really computes a graph for a step of generation,
// while sequences come and go: seen from inside ggml, not from our own plan.
#include <algorithm>
#include <cstdio>
#include <random>
#include <set>

#include "backend_passes.h"
#include "check.h"
#include "llama_graph_counter.h"
#include "model_fixture.h"

using namespace infernode;

namespace {

constexpr int kSteps = 200;

struct Tally {
  std::int64_t decode_steps = 0;
  std::int64_t one_pass_steps = 0;  // of those, with one pass and every busy row
  std::int64_t rows = 0;            // of all passes with logits
  std::int64_t padding = 0;         // of those, rows of no request
  std::int64_t busy = 0;            // tokens handed out
  std::int64_t most_busy = 0;
  std::int64_t left_behind = 0;  // times a busy sequence got no token in a step
};

// Keeps up to `wanted` requests alive: they end at random lengths, one in
// twenty is cancelled instead, and a new one arrives up to three steps later.
class Traffic {
 public:
  Traffic(SteppedEngine& engine, std::int32_t wanted, std::uint64_t seed)
      : engine_(engine), arrivals_(static_cast<std::size_t>(wanted), 0), random_(seed) {}

  void before_step(int step) {
    for (int& arrival : arrivals_) {
      if (arrival > step) continue;
      const std::size_t length = 1 + random_() % (random_() % 4 == 0 ? 200 : 30);
      std::vector<TokenId> prompt{kBeginOfText};
      while (prompt.size() < length) prompt.push_back(static_cast<TokenId>(2 + random_() % 1000));
      engine_.submit(++last_id_, prompt, static_cast<std::int32_t>(1 + random_() % 80));
      places_[last_id_] = static_cast<std::size_t>(&arrival - arrivals_.data());
      arrival = kTaken;
    }
    for (const auto& [id, place] : places_) {
      if (random_() % 800 != 0) continue;
      engine_.cancel(id);
      generating_.erase(id);
    }
  }

  // Each request that generated before this step and was not cancelled must
  // have got a token in it.
  void after_step(int step, Tally& tally) {
    std::int64_t served = 0;
    std::erase_if(places_, [&](const auto& entry) {
      const auto& [id, place] = entry;
      const Story& story = engine_.story(id);
      const bool got_token = story.tokens.size() > tokens_seen_[id];
      tokens_seen_[id] = story.tokens.size();
      served += got_token;
      if (!got_token && generating_.contains(id)) ++tally.left_behind;
      if (got_token) generating_.insert(id);
      if (story.ends.empty()) return false;
      generating_.erase(id);
      arrivals_[place] = step + 1 + static_cast<int>(random_() % 4);
      return true;
    });
    tally.busy += served;
    tally.most_busy = std::max(tally.most_busy, served);
    count_passes(served, tally);
  }

 private:
  static constexpr int kTaken = kSteps * 2;

  // A decode pass gives logits of all its rows; a prefill pass of a prompt's
  // last row at most, which serves that request instead.
  static void count_passes(std::int64_t served, Tally& tally) {
    std::int64_t passes = 0, rows = 0;
    for (const ComputedGraph& graph : computed_graphs()) {
      if (graph.outputs < graph.rows) {
        served -= graph.outputs;
        continue;
      }
      ++passes;
      rows += graph.rows;
    }
    if (passes == 0 && served == 0) return;
    ++tally.decode_steps;
    tally.one_pass_steps += passes == 1 && rows >= served;
    tally.rows += rows;
    tally.padding += rows - served;
  }

  SteppedEngine& engine_;
  std::vector<int> arrivals_;  // per place: the step its next request arrives
  std::mt19937_64 random_;
  RequestId last_id_ = 0;
  std::map<RequestId, std::size_t> places_;
  std::map<RequestId, std::size_t> tokens_seen_;
  std::set<RequestId> generating_;
};

Tally drive(const std::shared_ptr<const LlamaModel>& model, std::int32_t busy, std::int32_t slots) {
  SteppedEngine engine(std::make_unique<LlamaBackend>(model, context_of(slots, 512, 512)),
                       vocab_of(model));
  Traffic traffic(engine, busy, static_cast<std::uint64_t>(1000 * busy + slots));
  Tally tally;
  for (int step = 0; step < kSteps; ++step) {
    traffic.before_step(step);
    computed_graphs().clear();
    engine.step();
    traffic.after_step(step, tally);
  }
  CHECK_EQ(engine.stats().failed_passes, 0);
  return tally;
}

void judge(std::int32_t busy, std::int32_t slots, const Tally& tally) {
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return 100.0 * static_cast<double>(part) /
           static_cast<double>(std::max<std::int64_t>(whole, 1));
  };
  std::printf("%5d %5d %9lld %9.1f %% %12.1f %% %8.1f %8lld\n", busy, slots,
              static_cast<long long>(tally.decode_steps),
              share(tally.one_pass_steps, tally.decode_steps), share(tally.padding, tally.rows),
              static_cast<double>(tally.busy) / static_cast<double>(tally.decode_steps),
              static_cast<long long>(tally.left_behind));
  CHECK(tally.decode_steps > kSteps / 2);
  CHECK(tally.most_busy > busy / 2);
  CHECK(share(tally.one_pass_steps, tally.decode_steps) >= 95);
  CHECK(share(tally.padding, tally.rows) <= 15);
  CHECK_EQ(tally.left_behind, 0);
}

}  // namespace

TEST("a graph computation of llama.cpp's is seen with its rows and outputs") {
  const auto model = load_embedded("q8_0");
  LlamaBackend backend(model, context_of(2));
  computed_graphs().clear();
  const BatchRow prompt[] = {{5, 0, 0}, {6, 0, 1}, {7, 0, 2}};
  const BatchRow last[] = {{8, 0, 3}, {9, 1, 0}};
  CHECK(run_prefill(backend, prompt) == DecodeStatus::kOk);
  CHECK(run_decode(backend, last, false) == DecodeStatus::kOk);
  CHECK_EQ(computed_graphs().size(), std::size_t{2});
  CHECK_EQ(computed_graphs()[0].rows, 3);
  CHECK_EQ(computed_graphs()[0].outputs, 0);
  CHECK_EQ(computed_graphs()[1].rows, 2);
  CHECK_EQ(computed_graphs()[1].outputs, 2);
}

TEST("a decode step is one pass with every busy row and little padding") {
  const auto model = load_embedded("q8_0");
  std::printf(" busy slots     steps    one pass        padding  rows/step  left behind\n");
  for (const std::int32_t busy : {2, 3, 4, 8, 16, 32, 64}) {
    judge(busy, busy, drive(model, busy, busy));
    if (busy < 64) judge(busy, 64, drive(model, busy, 64));
  }
}
