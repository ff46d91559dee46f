// Requests, forks and calls from other threads: each is validated and put into the mailbox, or
// refused with a reason. The addon asks for the queue's limit earlier, before it copies a prompt
// (EngineWrap::push); here it holds for callers that use the core without the addon. The engine
// thread drains the mailbox; each entry stays here until it is accepted, ended or done, so that an
// exception loses none.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "core/sampling/token_chooser.h"
#include "core/types.h"
#include "mailbox.h"
#include "publisher.h"
#include "request.h"
#include "scheduler.h"

namespace infernode {

class Admission {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic
  using Call = std::function<void(KvCache*)>;

  // The destinations of accepted requests. All of them outlive this.
  struct Parts {
    Scheduler& scheduler;
    KvCache& cache;
    Publisher& publisher;
    const TokenChooser& chooser;
  };
  // `queue_limit`: living requests (waiting and running), at most.
  Admission(const Parts& parts, const BackendLimits& limits, std::size_t queue_limit, Clock clock);

  // Any thread: as Engine's.
  void check_prompt(std::size_t least_tokens) const;
  [[nodiscard]] std::optional<Failure> submit(RequestId id, std::vector<TokenId> prompt,
                                              GenerateParams params,
                                              std::shared_ptr<RequestControl> control);
  [[nodiscard]] std::optional<Failure> fork(RequestId source, RequestId id, std::uint64_t seed,
                                            std::shared_ptr<RequestControl> control);
  void call(Call work);
  void wake() { mailbox_.wake(); }
  // Refuses everything from now on, with kEngineClosed.
  void close() { mailbox_.close(); }
  // Sets the reason of later refusals.
  void refuse_as(const Failure& failure);
  [[nodiscard]] bool closed() const { return mailbox_.closed(); }
  [[nodiscard]] bool broken() const;

  // Engine thread only, from here on.
  // Waits for an arrival, a wake() or a close().
  void wait() { mailbox_.wait(); }
  // Takes everything that has arrived; false: nothing had. A request for which there is no memory
  // ends; the others are not affected.
  [[nodiscard]] bool take_arrivals();
  // Takes requests up to the first fork or call, which need the backend.
  void take_requests();
  // Ends what has not been taken.
  void end_arrivals(FinishReason reason, const std::optional<Failure>& failure);
  // The number of requests that were admitted and have not ended; ending one decrements it.
  std::atomic<std::size_t>& living() { return living_; }
  // Throws BrokenInvariant where that is not the number of requests in the mailbox, among what
  // was drained from it, and in the scheduler. Allocates nothing.
  void check() const;

 private:
  struct Fork {
    RequestId source;
    RequestId id;
    std::uint64_t seed;
    std::shared_ptr<RequestControl> control;
    double accepted;
  };
  using Arrival = std::variant<std::unique_ptr<Request>, Fork, Call>;

  [[nodiscard]] std::optional<Failure> admit(Arrival arrival);
  void drain();
  void take(Arrival& arrival);
  void take_call(Arrival& arrival, KvCache* cache);
  void accept(const Fork& fork);
  void end_arrival(Arrival& arrival, FinishReason reason, std::optional<Failure> failure);

  const Parts parts_;
  const BackendLimits limits_;
  const std::size_t queue_limit_;
  const Clock clock_;
  Mailbox<Arrival> mailbox_;
  std::vector<Arrival> arrivals_;  // out of the mailbox; those from taken_ on are not handled yet
  std::size_t taken_ = 0;
  // Held while a request is counted and put into the mailbox, so that check() sees both or neither.
  mutable std::mutex admit_mutex_;
  std::atomic<std::size_t> living_{0};
  mutable std::mutex broken_mutex_;
  std::optional<Failure> broken_;
};

}  // namespace infernode
