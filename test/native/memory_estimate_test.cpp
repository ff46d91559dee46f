// The rules of "does it fit" on numbers; llama_memory_test says where the numbers
// come from.
#include "model/memory_estimate.h"

#include "check.h"
#include "core/types.h"

using namespace infernode;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

bool fits(const WeightMemory& weights, bool memory_map, const MemoryRoom& room) {
  try {
    check_weights_fit("model.gguf", weights, memory_map, room);
    return true;
  } catch (const Error& error) {
    CHECK_EQ(error_name(error.code()), error_name(ErrorCode::kOutOfMemory));
    CHECK(std::string(error.what()).find(" MiB") != std::string::npos);
    return false;
  }
}

}  // namespace

TEST("weights read into memory must fit whole, mapped ones may be four times as large") {
  const WeightMemory weights{512 * kMiB, 0, 0};
  CHECK(fits(weights, false, {600 * kMiB}));
  CHECK(!fits(weights, false, {550 * kMiB}));
  CHECK(fits(weights, true, {130 * kMiB}));
  CHECK(!fits(weights, true, {120 * kMiB}));
  CHECK(fits(weights, false, {0}));  // unknown
}

TEST("mapped weights that are repacked count as private memory") {
  const WeightMemory weights{256 * kMiB, 256 * kMiB, 0};
  CHECK(fits(weights, true, {330 * kMiB}));
  CHECK(!fits(weights, true, {310 * kMiB}));
}

TEST("a GPU must hold its weights and a margin, the host the rest") {
  const WeightMemory weights{256 * kMiB, 0, 256 * kMiB};
  CHECK(fits(weights, true, {100 * kMiB, 600 * kMiB, 1}));
  CHECK(!fits(weights, true, {100 * kMiB, 500 * kMiB, 1}));
  CHECK(!fits(weights, false, {300 * kMiB, 600 * kMiB, 1}));
}

TEST("the host cache follows the memory that is left, the model's size and a limit") {
  const auto chosen = [](std::uint64_t kv, std::uint64_t weights, std::uint64_t available) {
    const MemoryNeeded engine{kv * kMiB, 10 * kMiB, weights * kMiB, (kv + 10) * kMiB};
    return default_host_cache_bytes(engine, available * kMiB) / kMiB;
  };
  CHECK_EQ(chosen(30, 3, 10'000), 33u);         // a small model
  CHECK_EQ(chosen(4096, 5000, 64'000), 1024u);  // a large host
  CHECK_EQ(chosen(190, 300, 400), 50u);         // a quarter of what is left
  CHECK_EQ(chosen(400, 300, 400), 0u);          // nothing is left
  CHECK_EQ(chosen(30, 3, 0), 33u);              // the memory is unknown
  const MemoryNeeded on_gpu{4096 * kMiB, 10 * kMiB, 5000 * kMiB, 10 * kMiB};
  CHECK_EQ(default_host_cache_bytes(on_gpu, 410 * kMiB), 100 * kMiB);
}
