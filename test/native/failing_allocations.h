// Allocations that fail on the thread that arms them: replaces operator new, so that one test
// program includes it once.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace infernode {

inline thread_local std::int64_t allocations_left = -1;  // until some fail; below 0: none does
inline thread_local std::int64_t allocations_failing = 0;

inline bool allocation_fails() {
  if (allocations_left < 0) return false;
  if (allocations_left > 0) return --allocations_left, false;
  if (--allocations_failing <= 0) allocations_left = -1;
  return true;
}

// After `at` more allocations of this thread, `failing` in a row fail.
inline void fail_allocations(std::int64_t at, std::int64_t failing) {
  allocations_failing = failing;
  allocations_left = at;
}

// While it lives, this thread's allocations succeed and do not count.
class Unharmed {
 public:
  Unharmed() : left_(std::exchange(allocations_left, -1)) {}
  ~Unharmed() { allocations_left = left_; }
  Unharmed(const Unharmed&) = delete;
  Unharmed& operator=(const Unharmed&) = delete;

 private:
  const std::int64_t left_;
};

}  // namespace infernode

__attribute__((noinline)) void* operator new(std::size_t size) {
  if (infernode::allocation_fails()) throw std::bad_alloc();
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
// What std::stable_sort() allocates by, and frees with the operator below.
__attribute__((noinline)) void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return infernode::allocation_fails() ? nullptr : std::malloc(size > 0 ? size : 1);
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
