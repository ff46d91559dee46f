// The KV cells of a backend's sequences. Two layouts implement it: a stream of cells per sequence
// (StreamStore) and one pool of cells that all sequences draw from (PoolStore).
// Except for the passes, every call on the backend that reads or changes a sequence is made here.
// A store knows sequences by their ids; which request uses one is KvCache's concern.
// Engine thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>

#include "core/backend.h"
#include "core/types.h"

namespace infernode {

constexpr std::size_t kAnySize = std::numeric_limits<std::size_t>::max();
constexpr std::int32_t kUnlimitedCells = std::numeric_limits<std::int32_t>::max();

// Counts of positions or cells: busy where a request computes with their sequence, else idle.
struct CellCounts {
  std::int64_t busy = 0;
  std::int64_t idle = 0;
};

class KvStore {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // The backend outlives the store.
  KvStore(Backend& backend, Clock clock);
  virtual ~KvStore() = default;
  KvStore(const KvStore&) = delete;
  KvStore& operator=(const KvStore&) = delete;

  // Begins an engine step: the passes of the last one may have added positions to any sequence.
  virtual void begin_step() = 0;
  // A request begins or ceases to compute with the sequence.
  virtual void set_busy(SequenceId sequence, bool busy) = 0;

  // All cells there are.
  virtual std::int64_t capacity() const = 0;
  // Cells that no sequence holds; kUnlimitedCells where no sequence can take another's.
  virtual std::int32_t free_cells() const = 0;
  // Cells that no busy sequence holds: the free ones, and those that evictions would free.
  virtual std::int32_t available_cells() const = 0;
  // Cells that hold so many positions; sequences may share cells. Does not ask the backend.
  virtual CellCounts cells(CellCounts positions) const = 0;

  // Both throw BrokenInvariant. Where the layout counts cells of its own: whether the sequence is
  // busy as said, with no more positions than the backend holds; and whether all cells are
  // accounted for, counted by the positions that the backend holds.
  virtual void check(SequenceId sequence, bool busy) const = 0;
  virtual void check_cells() const = 0;

  // Copies the first `length` positions of a sequence to an empty one. False: it is still empty.
  [[nodiscard]] virtual bool copy(SequenceId from, SequenceId to, Position length) = 0;
  // Milliseconds of copying from a sequence of `length` positions, as far as measured.
  virtual double copy_ms(Position length) const = 0;

  // How many of the first `length` positions remain if the sequence is truncated there.
  Position reusable(SequenceId sequence, Position length) const {
    return backend_.reusable(sequence, length);
  }
  // Positions that the backend holds.
  Position resident(SequenceId sequence) const { return backend_.resident(sequence); }
  // Whether these bytes can be the state of so many positions, as far as is known without
  // restoring them.
  [[nodiscard]] bool has_form(std::span<const std::uint8_t> state, Position length) const {
    return backend_.has_form(state, length);
  }
  // Removes the positions from `from` on. False: the model cannot truncate there.
  [[nodiscard]] bool truncate(SequenceId sequence, Position from);
  // Removes all positions.
  void clear(SequenceId sequence);
  // The state as bytes; empty if it cannot be read, for lack of memory or any other reason, or is
  // larger than `at_most`.
  StateBytes save(SequenceId sequence, std::size_t at_most) const;
  // Restores the state of so many positions into an empty sequence, for whose cells there is
  // room. False: it is still empty.
  [[nodiscard]] bool restore(SequenceId sequence, std::span<const std::uint8_t> state,
                             Position length);

  // Milliseconds of moving so many positions through host memory, as far as measured.
  double transfer_ms(Position length) const { return length * position_ms_; }
  // So many positions were moved through host memory, since `started`.
  void transferred(Position length, double started);
  double now() const { return clock_(); }

 protected:
  // The backend holds other positions of the sequence than before.
  virtual void changed(SequenceId sequence) = 0;

  Backend& backend_;

 private:
  const Clock clock_;
  double position_ms_ = 0;  // a running mean
};

}  // namespace infernode
