// The cores this process may use, divided among the passes of its engines. Passes with more
// threads than cores are ten times slower and worse: threads spin at ggml's barriers for one
// that is not scheduled. So a pass takes cores before it computes: all that its engine wants
// while no other engine is busy, its fair part otherwise. Passes that find too few cores free
// wait in the order they came.
// Knows no engine and no llama.cpp. Any thread may call it.
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
  using Clock = std::function<double()>;  // milliseconds, never falling

  // An engine computes again this soon after a pass, unless it has fallen idle: it samples
  // meanwhile. On a machine with other work the pause grows as passes do, so it may last as
  // long as the pass did, up to the second value.
  static constexpr double kPauseMilliseconds = 10;
  static constexpr double kLongestPauseMilliseconds = 500;

  CpuCores(int count, Clock clock);

  class Lease;

  // An engine, with its draft model. Its leases end before it does.
  class Member {
   public:
    explicit Member(CpuCores& cores);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    // Blocks until there are cores for a pass: `wants` at most, at least one; none once
    // `interrupted` is true. One pass at a time.
    [[nodiscard]] Lease take(int wants, const std::atomic<bool>& interrupted);
    // Has `interrupted` looked at.
    void wake();
    [[nodiscard]] bool waits() const;

   private:
    friend class CpuCores;
    CpuCores& cores_;
    int wants_ = 0;  // of its latest pass
    int held_ = 0;
    bool waits_ = false;
    double began_ = 0;  // its latest pass
    std::optional<double> ended_;
  };

  // The cores of a pass, until this is destroyed.
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

  // From now on. Leases are not revoked.
  void set_count(int count);
  int count() const;

 private:
  int wait_for_turn(Member& member, int wants, const std::atomic<bool>& interrupted);
  int grantable(const Member& member) const;
  int free() const;
  [[nodiscard]] bool is_busy(const Member& member) const;
  void give_back(Member& member);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Clock clock_;
  int count_;
  std::vector<Member*> members_;
  // Both have room for all members: a pass allocates nothing.
  std::vector<Member*> queue_;  // those that wait, the first to come first
  mutable std::vector<const Member*> others_;
};

}  // namespace infernode
