// The barrier of the CPU backend that is loaded, in front of ggml's: threads that wait long for
// another one sleep, and all results are there when a thread goes on.
#include <ctime>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <thread>
#include <vector>

#include "check.h"
#include "ggml.h"
#include "llama_cpu_backend.h"

using namespace infernode;

namespace {

constexpr std::chrono::milliseconds kHeldUp{300};

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Copies; every thread but the first is held up.
void copy_late(ggml_tensor* to, const ggml_tensor* from, int thread, int, void*) {
  if (thread != 0) {
    std::this_thread::sleep_for(kHeldUp);
    return;
  }
  const auto* values = static_cast<const float*>(from->data);
  std::copy(values, values + ggml_nelements(from), static_cast<float*>(to->data));
}

// What waiting for the others costs the first thread.
double cost_of_waiting(const CpuLibrary& library) {
  CpuBackend cpu(library);
  const std::vector<float> values(8, 3.0f);
  const double before = processor_seconds();
  const std::vector<float> found = cpu.run(2, [&](ggml_context* made) {
    ggml_tensor* a = ggml_new_tensor_1d(made, GGML_TYPE_F32, 8);
    return CpuOperation{ggml_map_custom1(made, a, copy_late, 2, nullptr), {{a, values.data()}}};
  });
  CHECK(found == values);
  return processor_seconds() - before;
}

}  // namespace

TEST("a thread that waits long for another one at a barrier sleeps") {
  const double ours = cost_of_waiting(CpuLibrary::loaded());
  const double theirs = cost_of_waiting(CpuLibrary::unmodified());
  std::printf(
      "processor time while another thread is held up for %lld ms: %.1f ms (ggml %.1f ms)\n",
      static_cast<long long>(kHeldUp.count()), ours * 1e3, theirs * 1e3);
  CHECK(ours < 0.03);
}

TEST("sums that go through hundreds of barriers are right on more threads than cores") {
  CpuBackend cpu;
  constexpr int kSteps = 300;
  std::vector<float> values(4096);
  std::iota(values.begin(), values.end(), 0.0f);
  for (const int threads : {2, 3, 8}) {
    const std::vector<float> found = cpu.run(threads, [&](ggml_context* made) {
      ggml_tensor* a = ggml_new_tensor_2d(made, GGML_TYPE_F32, 64, 64);
      ggml_tensor* sum = a;
      // Each step reads what other threads wrote in the step before.
      for (int step = 0; step < kSteps; ++step)
        sum = ggml_cont(made, ggml_transpose(made, ggml_add(made, sum, a)));
      return CpuOperation{sum, {{a, values.data()}}};
    });
    const auto at = [&](std::int64_t row, std::int64_t column) {
      return values[static_cast<std::size_t>(64 * row + column)];
    };
    for (std::int64_t row = 0; row < 64; ++row)
      for (std::int64_t column = 0; column < 64; ++column) {
        // Half of the steps add the matrix as it is, half its transposition; the first value is
        // transposed an even number of times.
        float expected = at(row, column);
        for (int step = 0; step < kSteps; ++step)
          expected += (kSteps - step) % 2 == 0 ? at(row, column) : at(column, row);
        CHECK_EQ(found[static_cast<std::size_t>(64 * row + column)], expected);
      }
  }
}
