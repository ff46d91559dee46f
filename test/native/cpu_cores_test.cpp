// Cores divided among members: what each is granted, in which order, and that no more are
// out than there are. A clock of its own; threads meet at gates, nothing sleeps.
#include "model/cpu_cores.h"

#include <array>
#include <future>
#include <memory>
#include <thread>

#include "check.h"

using namespace infernode;

namespace {

using Lease = CpuCores::Lease;

struct Rig {
  explicit Rig(int count) : cores(count, [this] { return now.load(); }) {}

  std::atomic<double> now = 0;
  CpuCores cores;
  std::atomic<bool> never = false;

  std::unique_ptr<Lease> take(CpuCores::Member& member, int wants) {
    return std::unique_ptr<Lease>(new Lease(member.take(wants, never)));
  }
};

// A pass that waits for its cores on a thread of its own, and keeps them until told.
class WaitingPass {
 public:
  WaitingPass(CpuCores::Member& member, int wants)
      : thread_([this, &member, wants] {
          const Lease lease = member.take(wants, interrupted);
          granted_.set_value(lease.count());
          done_.get_future().wait();
        }) {
    while (!member.waits()) std::this_thread::yield();
  }
  ~WaitingPass() {
    done_.set_value();
    thread_.join();
  }

  int granted() { return result_.get(); }

  std::atomic<bool> interrupted = false;

 private:
  std::promise<int> granted_;
  std::future<int> result_ = granted_.get_future();
  std::promise<void> done_;
  std::thread thread_;
};

}  // namespace

TEST("an engine alone has all cores it wants, and never more than there are") {
  Rig rig(4);
  CpuCores::Member one(rig.cores), idle(rig.cores);
  for (const auto& [wants, expected] : {std::pair(3, 3), {4, 4}, {64, 4}, {0, 1}})
    CHECK_EQ(rig.take(one, wants)->count(), expected);
}

TEST("engines that are busy divide the cores, and what one does not want the others have") {
  struct Case {
    int cores;
    std::array<int, 3> wants;
    std::array<int, 3> granted;
  };
  for (const Case& of :
       {Case{4, {4, 4, 4}, {2, 1, 1}}, Case{8, {8, 2, 8}, {3, 2, 3}}, Case{8, {1, 8, 8}, {1, 4, 3}},
        Case{3, {3, 3, 3}, {1, 1, 1}}, Case{6, {6, 1, 1}, {4, 1, 1}}}) {
    Rig rig(of.cores);
    CpuCores::Member members[] = {CpuCores::Member(rig.cores), CpuCores::Member(rig.cores),
                                  CpuCores::Member(rig.cores)};
    // All have computed a moment ago.
    for (std::size_t i = 0; i < 3; ++i) rig.take(members[i], of.wants[i]);
    std::vector<std::unique_ptr<Lease>> leases;
    for (std::size_t i = 0; i < 3; ++i) {
      leases.push_back(rig.take(members[i], of.wants[i]));
      CHECK_EQ(leases.back()->count(), of.granted[i]);
    }
  }
}

TEST("an engine is busy until a while after its pass, longer after a long one") {
  constexpr double kShort = CpuCores::kPauseMilliseconds;
  constexpr double kLong = CpuCores::kLongestPauseMilliseconds;
  for (const auto& [pass, pause] :
       {std::pair(0.0, kShort), {1.0, kShort}, {100.0, 100.0}, {5000.0, kLong}}) {
    Rig rig(2);
    CpuCores::Member one(rig.cores), other(rig.cores);
    auto lease = rig.take(other, 2);
    rig.now = pass;
    lease.reset();
    rig.now = pass + pause / 2;
    CHECK_EQ(rig.take(one, 2)->count(), 1);
    rig.now = pass + pause;
    CHECK_EQ(rig.take(one, 2)->count(), 2);
  }
}

TEST("a pass waits for one that has all cores, and then both have their part") {
  Rig rig(2);
  CpuCores::Member one(rig.cores), other(rig.cores);
  auto all = rig.take(one, 2);
  CHECK_EQ(all->count(), 2);
  WaitingPass waiting(other, 2);
  all.reset();
  CHECK_EQ(waiting.granted(), 1);
  CHECK_EQ(rig.take(one, 2)->count(), 1);
}

TEST("with more engines than cores, passes get their cores in the order they came") {
  Rig rig(1);
  CpuCores::Member first(rig.cores), second(rig.cores), third(rig.cores);
  auto lease = rig.take(first, 1);
  auto then = std::make_unique<WaitingPass>(second, 1);
  auto last = std::make_unique<WaitingPass>(third, 1);
  lease.reset();
  CHECK_EQ(then->granted(), 1);
  CHECK(third.waits());
  // Who comes again waits behind them.
  WaitingPass again(first, 1);
  then.reset();
  CHECK_EQ(last->granted(), 1);
  CHECK(first.waits());
  last.reset();
  CHECK_EQ(again.granted(), 1);
}

TEST("an interrupted pass ends its wait without cores, and delays no other") {
  Rig rig(1);
  CpuCores::Member computing(rig.cores), other(rig.cores);
  auto lease = rig.take(computing, 1);
  {
    CpuCores::Member closing(rig.cores);
    WaitingPass interrupted(closing, 1);
    WaitingPass behind(other, 1);
    interrupted.interrupted = true;
    closing.wake();
    CHECK_EQ(interrupted.granted(), 0);
    lease.reset();
    CHECK_EQ(behind.granted(), 1);
  }
  CHECK_EQ(rig.take(computing, 1)->count(), 1);
}

TEST("fewer cores count from the next pass on") {
  Rig rig(4);
  CpuCores::Member one(rig.cores);
  auto lease = rig.take(one, 4);
  rig.cores.set_count(2);
  CHECK_EQ(lease->count(), 4);
  lease.reset();
  CHECK_EQ(rig.take(one, 4)->count(), 2);
}

TEST("thousands of passes of many engines never have more cores than there are") {
  constexpr int kCores = 3;
  Rig rig(kCores);
  std::atomic<int> out = 0, most = 0;
  std::vector<std::thread> threads;
  for (int wants = 1; wants <= 5; ++wants) {
    threads.emplace_back([&, wants] {
      CpuCores::Member member(rig.cores);
      for (int pass = 0; pass < 2000; ++pass) {
        const Lease lease = member.take(wants, rig.never);
        const int now = out += lease.count();
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
        if (lease.count() < 1) most = 1000;
        rig.now = rig.now + 1;
        out -= lease.count();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(most <= kCores);
  CHECK(most > 1);
}
