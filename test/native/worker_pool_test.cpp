// The worker pool: every index once, every worker number used by one thread
// at a time, exceptions home to the owner, nothing left running. Threads meet
// at gates; nothing sleeps.
#include "core/sampling/worker_pool.h"

#include <barrier>
#include <memory>
#include <set>
#include <stdexcept>

#include "check.h"

using namespace infernode;

namespace {

void check_each_index_once(WorkerPool& pool, std::size_t count, std::size_t minimum) {
  std::vector<std::atomic<int>> calls(count);
  std::vector<std::atomic<int>> inside(pool.workers());
  std::atomic<int> overlaps = 0;
  pool.run(
      count,
      [&](std::size_t index, std::size_t worker) {
        if (inside.at(worker).fetch_add(1) != 0) ++overlaps;
        ++calls[index];
        inside[worker].fetch_sub(1);
      },
      minimum);
  CHECK_EQ(overlaps.load(), 0);
  for (const std::atomic<int>& calls_of_index : calls) CHECK_EQ(calls_of_index.load(), 1);
}

}  // namespace

TEST("each index is run exactly once, whatever the number of helpers") {
  for (const int helpers : {-1, 0, 1, 3, 7}) {
    WorkerPool pool(helpers);
    CHECK_EQ(pool.workers(), static_cast<std::size_t>(helpers < 0 ? 1 : helpers + 1));
    for (const std::size_t count : {0u, 1u, 2u, 5u, 64u, 1000u}) {
      for (const std::size_t minimum : {0u, 1u, 8u, 5000u}) {
        check_each_index_once(pool, count, minimum);
      }
    }
  }
}

TEST("thousands of short runs in a row lose nothing") {
  WorkerPool pool(3);
  for (int round = 0; round < 5000; ++round) {
    check_each_index_once(pool, static_cast<std::size_t>(round % 9), 1);
  }
}

TEST("writes of the jobs are visible to the owner afterwards") {
  WorkerPool pool(2);
  std::vector<std::size_t> squares(500);  // plain memory: a race would be seen
  for (std::size_t round = 1; round <= 50; ++round) {
    pool.run(squares.size(), [&](std::size_t i, std::size_t) { squares[i] = i * i * round; });
    for (std::size_t i = 0; i < squares.size(); ++i) CHECK_EQ(squares[i], i * i * round);
  }
}

TEST("owner and helpers work at the same time") {
  WorkerPool pool(2);
  std::barrier gate(3);  // opens only when three workers hold a job each
  std::mutex mutex;
  std::set<std::size_t> workers;
  std::set<std::thread::id> threads;
  pool.run(3, [&](std::size_t, std::size_t worker) {
    gate.arrive_and_wait();
    const std::lock_guard lock(mutex);
    workers.insert(worker);
    threads.insert(std::this_thread::get_id());
  });
  CHECK_EQ(workers.size(), 3u);
  CHECK_EQ(threads.size(), 3u);
  CHECK(threads.contains(std::this_thread::get_id()));
}

TEST("work below the minimum per worker stays on the owner, in order") {
  WorkerPool pool(3);
  const std::thread::id owner = std::this_thread::get_id();
  std::vector<std::size_t> order;
  pool.run(
      15,
      [&](std::size_t index, std::size_t worker) {
        CHECK_EQ(worker, 0u);
        CHECK(std::this_thread::get_id() == owner);
        order.push_back(index);
      },
      8);
  CHECK_EQ(order.size(), 15u);
  for (std::size_t i = 0; i < order.size(); ++i) CHECK_EQ(order[i], i);
}

TEST("an exception reaches the owner and the pool stays usable") {
  for (const int helpers : {0, 1, 3}) {
    WorkerPool pool(helpers);
    for (std::size_t thrower = 0; thrower < 20; ++thrower) {
      CHECK_THROWS(std::runtime_error, pool.run(20, [&](std::size_t index, std::size_t) {
        if (index == thrower) throw std::runtime_error("expected");
      }));
      check_each_index_once(pool, 20, 1);
    }
  }
}

TEST("when several jobs throw, one exception comes out") {
  WorkerPool pool(3);
  std::barrier gate(4);
  CHECK_THROWS(std::runtime_error, pool.run(4, [&](std::size_t, std::size_t) {
    gate.arrive_and_wait();
    throw std::runtime_error("expected");
  }));
  check_each_index_once(pool, 100, 1);
}

TEST("after an exception no further index is begun") {
  WorkerPool pool(0);
  int begun = 0;
  CHECK_THROWS(std::runtime_error, pool.run(10, [&](std::size_t index, std::size_t) {
    ++begun;
    if (index == 3) throw std::runtime_error("expected");
  }));
  CHECK_EQ(begun, 4);
}

TEST("a pool can be destroyed at once, idle or after work") {
  for (int round = 0; round < 200; ++round) {
    WorkerPool pool(1 + round % 4);
    if (round % 2 == 0) pool.run(3, [](std::size_t, std::size_t) {});
  }
}

TEST("a job may be any callable and is not copied") {
  WorkerPool pool(1);
  std::atomic<int> calls = 0;
  auto token = std::make_unique<int>(2);
  auto job = [&calls, owned = std::move(token)](std::size_t, std::size_t) { calls += *owned; };
  pool.run(10, job);
  CHECK_EQ(calls.load(), 20);
}
