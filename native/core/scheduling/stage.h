// The state machine of a request: its stages, and the transitions between them, all in one table.
// Two facts are independent of it: whether a request is paused, because its consumer lags, and
// whether it is isolated, computed alone after a failing pass.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace infernode {

enum class Stage : std::uint8_t {
  kQueued,     // has no sequence
  kSwapped,    // has no sequence; its state is in host memory
  kAwaiting,   // has a sequence; an older request computes its prefix, and it computes nothing
  kComputing,  // has a sequence
  kEnded,
};

enum class StageEvent : std::uint8_t {
  kSeat,     // gets a sequence
  kAwait,    // awaits its prefix from an older request
  kResume,   // awaits no longer
  kRelease,  // loses its sequence and what is computed in it
  kSwapOut,  // its state is in host memory
  kEnd,
};

// Nothing: that cannot happen in this stage.
constexpr std::optional<Stage> next_stage(Stage stage, StageEvent event) {
  using enum Stage;
  using Row = std::array<std::optional<Stage>, 6>;
  constexpr std::optional<Stage> kNever = std::nullopt;
  constexpr std::array<Row, 5> kNext = {
      //   seat        await      resume      release  swap out   end
      Row{kComputing, kNever, kNever, kNever, kSwapped, kEnded},  // queued
      Row{kComputing, kNever, kNever, kNever, kNever, kEnded},    // swapped
      Row{kNever, kNever, kComputing, kQueued, kNever, kEnded},   // awaiting
      Row{kNever, kAwaiting, kNever, kQueued, kNever, kEnded},    // computing
      Row{kNever, kNever, kNever, kNever, kNever, kNever},        // ended
  };
  return kNext[static_cast<std::size_t>(stage)][static_cast<std::size_t>(event)];
}

}  // namespace infernode
