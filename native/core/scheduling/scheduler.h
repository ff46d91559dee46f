// Decides which requests run in a step: in order of arrival, except those that are paused, that use
// other LoRA adapters than the step's (all passes of a step use the same ones), or that wait
// because a request is isolated after a failing pass. Also names the request to preempt first.
// Owns the living requests. Of their state it sets only the number of arrival, `paused`, and
// whether the reader wants to be woken, and of the cache it changes nothing: no clock, no thread,
// no backend. How the rows of running requests become passes is Planner's concern. Engine thread
// only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/cache/kv_cache.h"
#include "request.h"

namespace infernode {

class Scheduler {
 public:
  // The cache outlives the scheduler, which only reads it.
  explicit Scheduler(const KvCache& cache) : cache_(cache) {}

  // Appends a new request, which waits for a sequence. Where this throws, the request is still the
  // caller's.
  void accept(std::unique_ptr<Request>& request);

  // Looks at the controls of all requests: sets `paused`, returns the cancelled ones.
  std::vector<Request*> read_controls();

  // Paused requests whose sequences waiting requests need; the youngest first.
  std::vector<Request*> paused_to_preempt() const;
  // Waiting requests for which there are sequences, in order of arrival.
  std::vector<Request*> admissible() const;

  // The request that is computed alone after a failing pass; nullptr: none.
  Request* isolated() const;
  // Requests whose next row is a decode row, by ascending sequence.
  std::vector<Request*> decoding() const;
  // Rows of its prompt that a request can compute now; 0 where its next row is a decode row.
  std::int32_t prompt_rows(const Request& request) const;
  // The same of all requests.
  std::int32_t prompt_rows() const;
  // The fewest rows the next step computes: one for each request that generates, else one of a
  // prompt.
  std::int32_t least_rows() const;

  // The request that is preempted first: the youngest that is paused, else the youngest; nullptr
  // when no request has a sequence.
  Request* preemption_candidate() const;
  // The living request of this id; nullptr when it has ended.
  const Request* find(RequestId id) const;
  // Removes a request that holds no sequence.
  void remove(Request& request);

  // Chooses the adapters of the next step: requests with different adapters share no pass, so the
  // sets take turns of a few steps. True when the active set changes.
  [[nodiscard]] bool choose_adapters();
  const AdapterScales& active_adapters() const { return active_adapters_; }
  // True when a request generates, with whatever adapters.
  [[nodiscard]] bool generates() const;

  // True when a request has a sequence and is not paused.
  [[nodiscard]] bool any_running() const;
  // True when a step computes something, once waiting requests have got sequences.
  [[nodiscard]] bool runnable() const;

  std::int32_t waiting() const;
  const std::vector<std::unique_ptr<Request>>& living() const { return living_; }

 private:
  [[nodiscard]] bool runs(const Request& request, const Request* alone) const;
  std::vector<AdapterScales> adapters_in_use() const;

  const KvCache& cache_;
  std::vector<std::unique_ptr<Request>> living_;  // in order of arrival
  std::uint64_t next_arrival_ = 0;
  AdapterScales active_adapters_;
  std::int32_t steps_of_active_ = 0;             // while other sets wait
  std::vector<AdapterScales> waiting_adapters_;  // the next set first
};

}  // namespace infernode
