// The CPU cores this process may use, divided among the passes of its engines. With more
// threads than cores, those at a barrier wait for one that is not scheduled: ggml's own barrier
// spins meanwhile (ten times slower or worse), ours sleeps after a short while (0075), and every
// surplus thread is one more wake-up. So a pass leases cores before it computes: as many as its
// engine wants while no other engine is busy, a fair share otherwise. Passes that find too few free
// cores wait in order of arrival. Knows nothing of engines or llama.cpp. Any thread may call it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace infernode {

class CpuCores {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // After a pass an engine counts as busy for this long: it samples and will probably compute
  // again. On a machine with other load this pause grows with the passes, so it lasts as long as
  // the pass did where that was longer, up to the second value.
  static constexpr double kPauseMilliseconds = 10;
  static constexpr double kLongestPauseMilliseconds = 500;

  CpuCores(int count, Clock clock);

  class Lease;

  // One engine, with its draft model. Its leases end before it is destroyed.
  class Member {
   public:
    explicit Member(CpuCores& cores);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    // Blocks until cores are free for a pass: at most `wants`, at least one; zero once
    // `interrupted` is true. One pass at a time.
    [[nodiscard]] Lease take(int wants, const std::atomic<bool>& interrupted);
    // Makes a waiting pass check `interrupted`.
    void wake();
    // For tests: whether a pass blocks in take() now.
    [[nodiscard]] bool waits() const;

   private:
    friend class CpuCores;
    CpuCores& cores_;
    int wants_ = 0;  // cores its latest pass asked for
    int held_ = 0;
    bool waits_ = false;
    double began_ = 0;  // when its latest pass began
    std::optional<double> ended_;
  };

  // The cores leased by a pass, returned when this is destroyed.
  class Lease {
   public:
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    int count() const { return count_; }

   private:
    friend class Member;
    Lease(Member& member, int count) : member_(member), count_(count) {}
    Member& member_;
    int count_;
  };

  // The number of cores from now on. Existing leases are not revoked.
  void set_count(int count);
  int count() const;

 private:
  int wait_for_turn(Member& member, int wants, const std::atomic<bool>& interrupted);
  int grantable(const Member& member) const;
  int free() const;
  [[nodiscard]] bool is_busy(const Member& member) const;
  void return_cores(Member& member);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Clock clock_;
  int count_;
  std::vector<Member*> members_;
  // Both have capacity for all members, so a pass allocates nothing.
  std::vector<Member*> queue_;  // members whose passes wait, in order of arrival
  mutable std::vector<const Member*> others_;
};

// The cores that all engines of the process share: as many as the process may use at present.
CpuCores& cpu_cores();

}  // namespace infernode
