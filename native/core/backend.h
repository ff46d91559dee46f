// The seam between the engine and a model: what the scheduler may ask of
// whatever computes logits. llama.cpp is the real one (native/model); a fake
// in test/native is the other, so the engine is tested without either.
// A Backend belongs to the engine thread: no call on it comes from elsewhere,
// interrupt() apart.
// A Vocab is immutable and may be read from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "types.h"

namespace infernode {

struct BatchRow {
  TokenId token;
  SequenceId sequence;
  Position position;
  bool wants_logits = false;  // of a prefill row; decode rows all have them
};

enum class [[nodiscard]] DecodeStatus{
    kOk,
    kNoRoom,   // nothing was computed and nothing changed
    kInvalid,  // the backend refuses these rows; nothing changed
    kFailed,   // the rows' sequences are in an unknown state: clear them
    // As kFailed, and what failed is the device: perhaps it will again, whatever it computes.
    kNoMemory,      // of which it had too little for the pass
    kDeviceFailed,  // or something else of its own
    // The backend broke off in the middle of a pass. It may be asked nothing any more.
    kLost,
};

// Whether the rows' sequences are in an unknown state.
[[nodiscard]] constexpr bool spoils(DecodeStatus status) {
  return status != DecodeStatus::kOk && status != DecodeStatus::kNoRoom &&
         status != DecodeStatus::kInvalid;
}

// What the engine does by the kernels that compute, not by the model: those of a CPU differ
// from a device's. Each backend fills it in for where its layers lie.
struct BackendFacts {
  std::string where = "the CPU";  // for sentences: "CUDA0", "CUDA0 and CUDA1"
  // From this many rows of one sequence in a pass, the backend rounds them
  // differently than one by one; 1: it never does, or nobody knows from where on.
  std::int32_t wide_rows = 1;
  // Whether a row gets the same bits whoever else is in its pass, as far as wide_rows tells:
  // what CacheConfig::deterministic rests on.
  bool repeatable = true;
  // Rows of a prompt that a pass computes in about the time of one: fewer are not worth it.
  std::int32_t cheap_rows = 64;
  // Requests that may have guesses in one pass; kMostSpeculating at most.
  std::int32_t most_speculating = 4;
};

struct BackendLimits {
  std::int32_t slots = 1;             // sequences that compute at once, at most
  std::int32_t context_length = 0;    // positions per sequence
  std::int32_t trained_length = 0;    // positions the model was trained for; 0: not known
  std::int32_t prefill_capacity = 0;  // rows in one prefill call at most
  std::int32_t prefill_outputs = 1;   // rows with logits in one prefill call at most
  std::int32_t vocabulary_size = 0;
  // One pool of cells for all sequences: sequences that begin alike share cells, and a pass takes
  // any rows. False: each sequence has a stream of cells of its own.
  bool unified = false;
  std::int32_t cells = 0;           // of the pool; context_length and more
  std::int32_t idle_sequences = 0;  // ids beyond the slots, for idle prefixes
  // False: rows just computed cannot be rolled back, be they padding or guesses.
  bool pads_decode = true;
  // False for recurrent and sliding-window models, which cannot truncate to arbitrary positions:
  // they resume from a saved state, or where reusable() allows.
  bool can_truncate = true;
  // The last positions of a sliding window can be truncated all the same, at most so many: older
  // cells than the window needs stay until they are overwritten.
  Position slack = 0;
  BackendFacts facts = {};
};

// Sequence ids are 0 .. slots + idle_sequences - 1.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual const BackendLimits& limits() const = 0;

  // Computes one row per sequence, ids ascending, and keeps every row's
  // logits. Blocks until they are readable.
  // With `embeds`, the rows' embeddings can be had too.
  virtual DecodeStatus decode(std::span<const BatchRow> rows, bool embeds) = 0;

  // Computes prompt rows: equal counts per sequence, ids consecutive and
  // ascending, positions consecutive, logits of those that want them. Where the
  // cells are one pool, ids need only ascend and counts may differ. Blocks until
  // computed.
  virtual DecodeStatus prefill(std::span<const BatchRow> rows) = 0;

  // From the next pass on, this much of each adapter is added; none: as much as at
  // the beginning. Costs a rebuilt graph: called where something changes.
  virtual void use_adapters(const AdapterScales& scales) = 0;

  // Logits of row `row` of the last decode() or prefill(), vocabulary_size
  // floats, valid until the next of either.
  virtual std::span<float> logits(std::size_t row) = 0;

  // The hidden state of row `row` of the last decode(), if that was with
  // `embeds`: what the logits are computed from. Valid until the next pass.
  virtual std::span<const float> embedding(std::size_t row) = 0;

  // Frees positions >= from of a sequence. False: this model cannot truncate there; the caller must
  // clear the sequence (from = 0), which never fails.
  [[nodiscard]] virtual bool truncate(SequenceId sequence, Position from) = 0;

  // How many of a sequence's first `length` positions remain, bit for bit, if it is truncated
  // there: all of them; fewer where older state is gone; 0.
  virtual Position reusable(SequenceId sequence, Position length) const = 0;

  // All of one sequence's state as bytes in host memory; empty: it cannot be
  // read or is larger than `at_most`. Exact: what is computed after restore() is what would have
  // been computed without it.
  virtual std::vector<std::uint8_t> save(SequenceId sequence, std::size_t at_most) = 0;

  // Whether these bytes can be the state of so many positions, as far as that is told
  // without restoring them.
  [[nodiscard]] virtual bool has_form(std::span<const std::uint8_t> state,
                                      Position length) const = 0;

  // Puts a saved state into an empty sequence. False: it stays empty.
  [[nodiscard]] virtual bool restore(SequenceId sequence, std::span<const std::uint8_t> state) = 0;

  // An empty sequence gets the first `length` positions of another, in the same cells. Only where
  // `unified` is true.
  virtual void share(SequenceId from, SequenceId to, Position length) = 0;

  // Positions held for a sequence: 0 when empty, else last position + 1.
  virtual Position resident(SequenceId sequence) const = 0;

  // Makes a running pass end early as kFailed where the device can, and every
  // later pass too. The last thing a backend is asked; any thread may call.
  virtual void interrupt() = 0;

  // Compute graphs used again instead of being rebuilt, since creation.
  virtual std::int64_t graphs_reused() const = 0;
};

// How a pass ended. One that throws, for want of memory or whatever else, has failed; a
// broken invariant is nobody's pass and goes on.
template <typename Pass>
[[nodiscard]] DecodeStatus status_of(const Pass& pass) {
  try {
    return pass();
  } catch (const BrokenInvariant&) {
    throw;
  } catch (...) {
    return DecodeStatus::kFailed;
  }
}

class Vocab {
 public:
  virtual ~Vocab() = default;
  virtual std::int32_t size() const = 0;
  [[nodiscard]] virtual bool is_end_of_generation(TokenId token) const = 0;
  // The bytes a token stands for in generated text; may be part of a UTF-8
  // character; empty for control tokens. Valid as long as the Vocab.
  virtual std::string_view piece(TokenId token) const = 0;
};

}  // namespace infernode
