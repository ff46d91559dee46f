// The barrier at which the threads of a pass synchronise after each operation, in place of ggml's,
// which spins without limit (docs/decisions/0075). If fewer cores are free than there are threads,
// the spinning threads compete for cores with the one they all wait for. This barrier spins for
// about as long as waking a thread takes, then sleeps in the kernel. Linked instead of ggml's,
// which llama_pool.c declares weak. Any thread of a pool.
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>

#include "ggml-cpu-impl.h"
#include "llama_pool.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds kSpin{50};  // about what going to sleep and being woken takes
constexpr int kLooksPerClock = 64;

// Threads asleep at a barrier of any pool: if there are none, no system call is made to wake them.
int sleeping = 0;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield" ::: "memory");
#endif
}

// True once the word differs from `value`; false if that takes longer than kSpin.
bool changes_soon(const int* word, int value) {
  const Clock::time_point end = Clock::now() + kSpin;
  do {
    for (int look = 0; look < kLooksPerClock; ++look) {
      if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) return true;
      relax();
    }
  } while (Clock::now() < end);
  return false;
}

// The kernel compares the word again before it sleeps, so that no change is missed.
void sleep_while(int* word, int value) {
  __atomic_fetch_add(&sleeping, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
  __atomic_fetch_sub(&sleeping, 1, __ATOMIC_SEQ_CST);
}

void wake_all(int* word, int threads) {
  if (__atomic_load_n(&sleeping, __ATOMIC_SEQ_CST) > 0)
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, nullptr, nullptr, 0);
}

}  // namespace

extern "C" void ggml_barrier(ggml_threadpool* pool) {
  const InfernodeBarrier barrier = infernode_barrier_of(pool);
  if (barrier.threads == 1) return;
  const int before = __atomic_load_n(barrier.passed, __ATOMIC_RELAXED);
  if (__atomic_fetch_add(barrier.waiting, 1, __ATOMIC_SEQ_CST) == barrier.threads - 1) {
    __atomic_store_n(barrier.waiting, 0, __ATOMIC_RELAXED);
    __atomic_fetch_add(barrier.passed, 1, __ATOMIC_SEQ_CST);
    return wake_all(barrier.passed, barrier.threads);
  }
  if (!changes_soon(barrier.passed, before)) sleep_while(barrier.passed, before);
}
#endif
