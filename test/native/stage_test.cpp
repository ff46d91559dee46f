// The table of a request's stages, written out a second time as the events that each allows.
#include "core/scheduling/stage.h"

#include <array>
#include <map>
#include <string>

#include "check.h"
#include "core/scheduling/request.h"

using namespace infernode;

namespace {

constexpr std::array kStages = {Stage::kQueued, Stage::kSwapped, Stage::kAwaiting,
                                Stage::kComputing, Stage::kEnded};
constexpr std::array kEvents = {StageEvent::kSeat,    StageEvent::kAwait,   StageEvent::kResume,
                                StageEvent::kRelease, StageEvent::kSwapOut, StageEvent::kEnd};

Request request_of(const std::vector<TokenId>& prompt) {
  return {1, prompt, GenerateParams{}, std::make_shared<RequestControl>(), 16};
}

}  // namespace

TEST("each stage allows some events, and each of these leads to one stage") {
  using enum StageEvent;
  const std::map<Stage, std::map<StageEvent, Stage>> allowed = {
      {Stage::kQueued,
       {{kSeat, Stage::kComputing}, {kSwapOut, Stage::kSwapped}, {kEnd, Stage::kEnded}}},
      {Stage::kSwapped, {{kSeat, Stage::kComputing}, {kEnd, Stage::kEnded}}},
      {Stage::kAwaiting,
       {{kResume, Stage::kComputing}, {kRelease, Stage::kQueued}, {kEnd, Stage::kEnded}}},
      {Stage::kComputing,
       {{kAwait, Stage::kAwaiting}, {kRelease, Stage::kQueued}, {kEnd, Stage::kEnded}}},
      {Stage::kEnded, {}},
  };
  for (const Stage stage : kStages) {
    for (const StageEvent event : kEvents) {
      const auto& row = allowed.at(stage);
      const auto found = row.find(event);
      const std::optional<Stage> next = next_stage(stage, event);
      CHECK_EQ(next.has_value(), found != row.end());
      if (next && found != row.end()) CHECK(*next == found->second);
    }
  }
}

TEST("what a stage excludes breaks the engine instead of going on") {
  Request request = request_of({1, 2, 3});
  CHECK_THROWS(BrokenInvariant, request.progress.release_sequence());
  CHECK_THROWS(BrokenInvariant, request.progress.advance(StageEvent::kAwait));
  request.progress.take_sequence(2);
  CHECK_EQ(request.progress.sequence, 2);
  CHECK_THROWS(BrokenInvariant, request.progress.take_sequence(3));
  CHECK_EQ(request.progress.sequence, 2);
  request.progress.advance(StageEvent::kAwait);
  CHECK(request.progress.awaits());
  request.progress.release_sequence();
  CHECK(!request.progress.has_sequence());
  request.progress.advance(StageEvent::kEnd);
  CHECK_THROWS(BrokenInvariant, request.progress.advance(StageEvent::kEnd));
}

TEST("paused and isolated are independent of the stage") {
  Request request = request_of({1, 2, 3});
  request.progress.paused = true;
  request.progress.isolated = true;
  request.progress.take_sequence(0);
  CHECK(request.progress.stage() == Stage::kComputing);
  CHECK(request.progress.paused && request.progress.isolated);
}
