// A parallel-for over a few sleeping threads: the engine thread distributes the rows of a step,
// works on them too, and returns when all are done. Threads sleep on a condition variable and never
// spin: between steps the cores belong to the model. The pool owns its threads and nothing else.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace infernode {

// A reference to a callable: two words, never allocates. It must not outlive the callable, so use
// it as a parameter only.
template <typename Signature>
class FunctionRef;

template <typename Result, typename... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  template <typename Callable>
  requires(!std::is_same_v<std::remove_cvref_t<Callable>, FunctionRef> &&
           std::is_object_v<std::remove_reference_t<Callable>> &&
           std::is_invocable_r_v<Result, Callable&, Arguments...>) FunctionRef(Callable&& callable)
      : target_(const_cast<void*>(static_cast<const void*>(&callable))),
        call_([](void* target, Arguments... arguments) -> Result {
          auto* typed = static_cast<std::remove_reference_t<Callable>*>(target);
          return (*typed)(std::forward<Arguments>(arguments)...);
        }) {}

  Result operator()(Arguments... arguments) const {
    return call_(target_, std::forward<Arguments>(arguments)...);
  }

 private:
  void* target_;
  Result (*call_)(void*, Arguments...);
};

// Constructed, run and destroyed by one owner thread. Jobs run on the owner
// and on the helpers; a job must not call run() on the pool it runs in.
class WorkerPool {
 public:
  using Job = FunctionRef<void(std::size_t index, std::size_t worker)>;

  // `helpers` threads besides the owner; 0 or less: everything runs inline.
  explicit WorkerPool(int helpers);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // The number of workers: 0 is the owner, 1 .. workers()-1 are the helpers.
  // No two calls of a job with one worker number overlap, so scratch space
  // indexed by it needs no lock.
  std::size_t workers() const { return threads_.size() + 1; }

  // Calls job(index, worker) once for each index in 0 .. count-1, in no
  // promised order, and returns when all calls have returned. A helper is
  // woken only for a share of at least `minimum_per_worker` indices. If a job
  // throws, indices not yet begun are dropped and the first exception is
  // thrown here; the pool stays usable.
  void run(std::size_t count, Job job, std::size_t minimum_per_worker = 1);

 private:
  void help(std::size_t worker);
  void claim_indices(const Job& job, std::size_t count, std::size_t worker);

  std::mutex mutex_;
  std::condition_variable wake_;      // helpers wait here for seats or the end
  std::condition_variable finished_;  // the owner waits here for active_ == 0
  const Job* job_ = nullptr;          // this and all up to failure_: under mutex_
  std::size_t count_ = 0;
  std::size_t seats_ = 0;   // helpers that may still join the current run
  std::size_t active_ = 0;  // helpers that joined and have not left
  bool closing_ = false;
  std::exception_ptr failure_;
  std::atomic<std::size_t> next_{0};  // the next unclaimed index
  std::vector<std::thread> threads_;
};

}  // namespace infernode
