// The interface between the engine and a model: everything that the engine asks of whatever
// computes logits. native/model implements it with llama.cpp, test/native with a fake, so that the
// engine can be tested without llama.cpp.
// Only the engine thread calls a Backend; interrupt() may be called from any thread.
// A Vocab is immutable and may be read from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "types.h"

namespace infernode {

struct BatchRow {
  TokenId token;
  SequenceId sequence;
  Position position;
  bool wants_logits = false;  // ignored where one_row_each
};

// What one pass computes: token rows, sequence ids ascending, positions consecutive.
struct PassRows {
  std::span<const BatchRow> rows;
  // A decode pass: one row per sequence, logits of every row. Otherwise a prefill pass: logits of
  // the rows that want them. Shapes: BackendLimits::rectangular.
  bool one_row_each = false;
  bool embeds = false;  // only where one_row_each: the rows' hidden states are wanted too
};

enum class [[nodiscard]] DecodeStatus{
    kOk,
    kNoRoom,   // no free KV cells: nothing was computed, nothing changed
    kInvalid,  // the backend refuses these rows: nothing was computed, nothing changed
    kFailed,   // the rows' sequences are in an unknown state and must be cleared
    // As kFailed, and the device is the cause, so that other passes may fail too:
    kNoMemory,      // it had too little memory for the pass
    kDeviceFailed,  // any other failure of the device
    // The pass was broken off. No function of the backend but limits() and interrupt() may be
    // called any more.
    kLost,
};

// Whether a pass that ended so leaves its sequences in an unknown state.
[[nodiscard]] constexpr bool spoils(DecodeStatus status) {
  return status != DecodeStatus::kOk && status != DecodeStatus::kNoRoom &&
         status != DecodeStatus::kInvalid;
}

// What depends on the device that computes, not on the model: a CPU's kernels differ from a GPU's.
// Each backend fills it in for the devices that hold its layers.
struct BackendFacts {
  std::string where = "the CPU";  // for error messages: "CUDA0", "CUDA0 and CUDA1"
  // True: submit() returns while the device computes. False: it returns when the pass has ended.
  bool asynchronous = false;
  // From this many rows of one sequence in a pass, kernels round them differently than single
  // rows. 1: they never do, or the number is not known.
  std::int32_t wide_rows = 1;
  // With a stream of cells per sequence, a row gets the same bits whatever rows of other sequences
  // its pass has (rows of its own sequence matter from wide_rows on only): then empty. Otherwise
  // the sentence with which CacheConfig::deterministic is refused.
  std::string not_repeatable;
  // A pass of so many prompt rows takes about as long as a pass of one row.
  std::int32_t cheap_rows = 64;
};

struct BackendLimits {
  std::int32_t slots = 1;             // most sequences that compute at once
  std::int32_t context_length = 0;    // positions per sequence
  std::int32_t trained_length = 0;    // positions the model was trained for; 0: not known
  std::int32_t prefill_capacity = 0;  // most rows of a prefill pass
  std::int32_t prefill_outputs = 1;   // most rows with logits of a prefill pass
  std::int32_t vocabulary_size = 0;
  // One pool of cells for all sequences: sequences with the same beginning share cells. False: each
  // sequence has a stream of cells of its own.
  bool unified = false;
  // A pass is computed in one piece only if its sequence ids are consecutive and have equally many
  // rows, and must be so: a prefill pass always, a decode pass where rolls_back, since its gaps are
  // padded. False: a pass may have any rows.
  bool rectangular = true;
  std::int32_t cells = 0;           // of the pool, at least context_length
  std::int32_t idle_sequences = 0;  // more sequence ids than slots, for idle prefixes
  // False: computed rows cannot be rolled back, so neither padding nor draft tokens are possible.
  bool rolls_back = true;
  // False for recurrent and sliding-window models, which cannot truncate to arbitrary positions:
  // they resume from a saved state, or where reusable() allows.
  bool can_truncate = true;
  // A sliding window can still be truncated by at most so many of its last positions: cells older
  // than the window remain until they are overwritten.
  Position slack = 0;
  BackendFacts facts = {};
};

// Sequence ids are 0 .. slots + idle_sequences - 1.
// Every function but limits() and interrupt() may throw. An exception from submit() or wait() is a
// failed pass, one from save() a state that cannot be read, one from has_form() a failed import,
// and a std::bad_alloc from logits() ends a request whose prompt is scored; any other, and a
// BrokenInvariant from submit(), wait(), save() or logits(), stops the engine.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual const BackendLimits& limits() const = 0;

  // Begins to compute a pass. kOk: the pass is in flight, and until wait() has returned, no
  // function but limits() and interrupt() may be called. Otherwise the pass has ended.
  virtual DecodeStatus submit(const PassRows& pass) = 0;

  // Blocks until the submitted pass has ended. kOk: its logits can be read.
  virtual DecodeStatus wait() = 0;

  // Sets the scale of each adapter from the next pass on; empty: the scales the backend was created
  // with. The next pass needs a setup of its own, so it is called only for other scales.
  virtual void use_adapters(const AdapterScales& scales) = 0;

  // Logits of a row of the last pass: vocabulary_size floats, valid until the next submit(). The
  // caller may overwrite them, so each row is asked for once.
  virtual std::span<float> logits(std::size_t row) = 0;

  // The hidden state of a row of the last pass, if that was one with `embeds`: as many floats as
  // the model's hidden state has, the same number for every row. Valid until the next submit().
  virtual std::span<const float> embedding(std::size_t row) = 0;

  // Removes the positions from `from` on. False: this model cannot truncate there, and the caller
  // must clear the sequence (from = 0), which never fails.
  [[nodiscard]] virtual bool truncate(SequenceId sequence, Position from) = 0;

  // How many of a sequence's first `length` positions remain, bit for bit, if it is truncated
  // there: all of them; fewer where older state is gone; 0.
  virtual Position reusable(SequenceId sequence, Position length) const = 0;

  // The state of a sequence as bytes; empty if it cannot be read or is larger than `at_most`. After
  // restore(), the same logits are computed, bit for bit, as without saving.
  virtual std::vector<std::uint8_t> save(SequenceId sequence, std::size_t at_most) = 0;

  // Whether these bytes can be the state of so many positions, as far as their form shows.
  [[nodiscard]] virtual bool has_form(std::span<const std::uint8_t> state,
                                      Position length) const = 0;

  // Restores a saved state into an empty sequence. False: the sequence is still empty.
  [[nodiscard]] virtual bool restore(SequenceId sequence, std::span<const std::uint8_t> state) = 0;

  // Lets an empty sequence share the cells of the first `length` positions of another one. Only
  // where `unified`.
  virtual void share(SequenceId from, SequenceId to, Position length) = 0;

  // Positions that the backend holds for a sequence; 0: it is empty.
  virtual Position resident(SequenceId sequence) const = 0;

  // Makes the running pass and all later ones end early as kFailed, where the device supports that.
  // Called when the engine closes, from any thread. Idempotent.
  virtual void interrupt() = 0;

  // How many passes took over the setup of the pass before, whose shape was the same: a
  // compute graph, for example.
  virtual std::int64_t setups_reused() const = 0;
};

// The status of a call on a backend. An exception is a failed pass, except for a broken invariant,
// which no request caused.
template <typename Call>
[[nodiscard]] DecodeStatus status_of(const Call& call) {
  try {
    return call();
  } catch (const BrokenInvariant&) {
    throw;
  } catch (...) {
    return DecodeStatus::kFailed;
  }
}

// Has a pass computed. Calls `meanwhile` once while the device computes, if it is asynchronous:
// work that needs neither the pass's logits nor the backend. What `meanwhile` throws is thrown
// again when the pass has ended.
template <typename Work>
[[nodiscard]] DecodeStatus compute(Backend& backend, const PassRows& pass, const Work& meanwhile) {
  const DecodeStatus submitted = status_of([&] { return backend.submit(pass); });
  if (submitted != DecodeStatus::kOk) return submitted;
  std::exception_ptr thrown;
  if (backend.limits().facts.asynchronous) {
    try {
      meanwhile();
    } catch (...) {
      thrown = std::current_exception();
    }
  }
  const DecodeStatus status = status_of([&] { return backend.wait(); });
  if (thrown) std::rethrow_exception(thrown);
  return status;
}

class Vocab {
 public:
  virtual ~Vocab() = default;
  virtual std::int32_t size() const = 0;
  [[nodiscard]] virtual bool is_end_of_generation(TokenId token) const = 0;
  // The bytes of a token in generated text: possibly part of a UTF-8 character; empty for control
  // tokens. Valid as long as the Vocab.
  virtual std::string_view piece(TokenId token) const = 0;
};

}  // namespace infernode
