// A run offers seats to helpers under the mutex; indices are then claimed
// through one atomic counter. A helper that wakes up after the owner has
// finished finds its seat withdrawn and goes back to sleep, so the owner waits
// only for helpers that are in the middle of a job.
#include "worker_pool.h"

#include <algorithm>
#include <system_error>

namespace infernode {

WorkerPool::WorkerPool(int helpers) {
  threads_.reserve(static_cast<std::size_t>(std::max(helpers, 0)));
  for (int worker = 1; worker <= helpers; ++worker) {
    try {
      threads_.emplace_back([this, worker] { help(static_cast<std::size_t>(worker)); });
    } catch (const std::system_error&) {
      break;  // the host allows no more threads: fewer helpers are enough
    }
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::run(std::size_t count, Job job, std::size_t minimum_per_worker) {
  const std::size_t shares = count / std::max<std::size_t>(minimum_per_worker, 1);
  const std::size_t seats = std::min(threads_.size(), shares > 0 ? shares - 1 : 0);
  if (seats == 0) {
    for (std::size_t index = 0; index < count; ++index) job(index, 0);
    return;
  }
  next_.store(0, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    job_ = &job;
    count_ = count;
    seats_ = seats;
  }
  for (std::size_t seat = 0; seat < seats; ++seat) wake_.notify_one();

  claim_indices(job, count, 0);

  std::unique_lock lock(mutex_);
  seats_ = 0;
  finished_.wait(lock, [this] { return active_ == 0; });
  job_ = nullptr;
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void WorkerPool::help(std::size_t worker) {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return closing_ || seats_ > 0; });
    if (closing_) return;
    --seats_;
    ++active_;
    const Job* job = job_;
    const std::size_t count = count_;
    lock.unlock();
    claim_indices(*job, count, worker);
    lock.lock();
    if (--active_ == 0) finished_.notify_one();
  }
}

void WorkerPool::claim_indices(const Job& job, std::size_t count, std::size_t worker) {
  try {
    while (true) {
      const std::size_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= count) return;
      job(index, worker);
    }
  } catch (...) {
    next_.store(count, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    if (failure_ == nullptr) failure_ = std::current_exception();
  }
}

}  // namespace infernode
