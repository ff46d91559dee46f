// What other threads ask of an engine: each thing is judged here and put into the mailbox, or
// refused with a reason. The engine thread takes it out again; each stays here until it is living,
// ended or done, so that what breaks loses nobody.
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

  // Where those go who are let in. All of them outlive this.
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
  // Refuses everything from now on.
  void close() { mailbox_.close(); }
  // What is refused from now on hears this reason.
  void refuse_as(const Failure& failure);
  [[nodiscard]] bool closed() const { return mailbox_.closed(); }
  [[nodiscard]] bool broken() const;

  // Engine thread only, from here on.
  // Waits until there is something to take, or a wake() or close().
  void wait() { mailbox_.wait(); }
  // Lets everything in that has arrived. What one finds no memory for costs nobody else.
  void take_arrivals();
  // Ends what has not been taken, as all that lives ends.
  void end_arrivals(FinishReason reason, const std::optional<Failure>& failure);
  // Requests that were accepted and have not ended; whoever ends one takes it off.
  std::atomic<std::size_t>& living() { return living_; }

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
  void take(Arrival& arrival);
  void take_call(Arrival& arrival, KvCache* cache);
  void accept(const Fork& fork);
  void end_arrival(Arrival& arrival, FinishReason reason, std::optional<Failure> failure);

  const Parts parts_;
  const BackendLimits limits_;
  const std::size_t queue_limit_;
  const Clock clock_;
  Mailbox<Arrival> mailbox_;
  std::vector<Arrival> arrivals_;  // out of the mailbox; those from taken_ on still wait
  std::size_t taken_ = 0;
  std::atomic<std::size_t> living_{0};
  mutable std::mutex broken_mutex_;
  std::optional<Failure> broken_;
};

}  // namespace infernode
