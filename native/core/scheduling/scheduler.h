// What runs next: admission, decode rows, prefill chunks, preemption. Pure
// decisions over requests and who holds which sequence: no clock, no thread,
// no backend. The engine carries out what is decided here.
//
// The one design decision: decode and prefill never share a pass. A decode
// pass has one row per sequence, each with logits, so its shape is stable; a
// prefill pass has many rows per sequence, and logits where a prompt ends. All
// passes of a step add the same adapters.
// Engine thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "request.h"

namespace infernode {

struct DecodeRow {
  BatchRow row;
  Request* request;  // nullptr: padding that fills a hole between live ids
};

// Rows of a pass over one pool of cells: the next `count` of a request.
struct PassShare {
  Request* request;
  std::int32_t count;
};

// `count` rows of each request; their slots are consecutive and ascending.
struct PrefillGroup {
  std::vector<Request*> requests;
  std::int32_t count;
};

class Scheduler {
 public:
  // The cache outlives the scheduler, which only reads it.
  Scheduler(const BackendLimits& limits, const KvCache& cache);

  // A new request waits for a slot, after all that arrived before it. Where this throws,
  // the request is still the caller's.
  void accept(std::unique_ptr<Request>& request);

  // Looks at every consumer and caller: sets `paused`, returns who cancelled.
  std::vector<Request*> review();

  // Paused requests whose slots others wait for; youngest first. The engine
  // sets them aside.
  std::vector<Request*> paused_in_the_way() const;
  // Waiting requests there is a place for, in order of arrival.
  std::vector<Request*> admissible() const;

  // A move that lets one decode pass carry every row with less padding; none
  // when padding is cheap enough.
  [[nodiscard]] std::optional<SlotMove> next_move() const;

  // Rows of one decode pass, ids ascending and consecutive where the backend
  // allows padding.
  std::vector<DecodeRow> plan_decode() const;
  // Prefill passes that compute at most `budget` rows in all.
  std::vector<PrefillGroup> plan_prefill(std::int32_t budget) const;

  // Where all sequences share one pool of cells: one row for each of `decoding`
  // and, in order of arrival, at most `budget` of prompts, in one pass.
  std::vector<PassShare> plan_shared(const std::vector<DecodeRow>& decoding,
                                     std::int32_t budget) const;
  // The fewest rows the next step computes: one for each that generates, else one
  // of a prompt.
  std::int32_t least_rows() const;
  // Rows of prompts that could be computed now.
  std::int32_t prompt_rows() const;

  // Who gives its place when there is no room: the youngest that is paused, else the
  // youngest; nullptr when nobody has one.
  Request* first_to_leave() const;
  // The living request of this id; nullptr when it has ended.
  const Request* find(RequestId id) const;
  // Ends the life of a request that holds no place.
  std::unique_ptr<Request> remove(Request& request);

  // Chooses whose turn the step is: requests with different adapters share no pass, so
  // those of one set run at a time, a few steps each. True when it is another's.
  [[nodiscard]] bool take_turn();
  const AdapterScales& turn() const { return turn_; }
  // True when a request generates, in whatever turn.
  [[nodiscard]] bool generates() const;

  // True when a request has a place and is not paused.
  [[nodiscard]] bool any_running() const;
  // True when a step computes something, once those that wait have been seated.
  [[nodiscard]] bool runnable() const;

  std::int32_t waiting() const;
  const std::vector<std::unique_ptr<Request>>& living() const { return living_; }

 private:
  Request* isolated() const;
  [[nodiscard]] bool runs(const Request& request) const;
  std::vector<AdapterScales> adapters_in_use() const;
  std::vector<SequenceId> decoding_slots() const;
  std::int32_t wanted_rows(const Request& request) const;
  PrefillGroup plan_group(SequenceId seed, std::int32_t capacity,
                          const std::vector<std::int32_t>& gaps) const;
  PrefillGroup group_alone(SequenceId slot, std::int32_t budget, std::int32_t gap) const;
  [[nodiscard]] bool reads_alone(SequenceId slot) const;
  std::int32_t even_count(std::int32_t count, std::int32_t gap, std::int32_t capacity) const;
  [[nodiscard]] bool may_share(std::int32_t gap, std::int32_t count) const;

  BackendLimits limits_;
  const KvCache& cache_;
  std::vector<std::unique_ptr<Request>> living_;  // in order of arrival
  std::uint64_t next_arrival_ = 0;
  AdapterScales turn_;
  std::int32_t turn_steps_ = 0;       // it has had, others waiting
  std::vector<AdapterScales> turns_;  // the next one first
};

}  // namespace infernode
