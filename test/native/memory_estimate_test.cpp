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
  const WeightMemory weights{512 * kMiB, 0};
  CHECK(fits(weights, false, {600 * kMiB}));
  CHECK(!fits(weights, false, {550 * kMiB}));
  CHECK(fits(weights, true, {130 * kMiB}));
  CHECK(!fits(weights, true, {120 * kMiB}));
  CHECK(fits(weights, false, {0}));  // unknown
}

TEST("mapped weights that are repacked count as private memory") {
  const WeightMemory weights{256 * kMiB, 256 * kMiB};
  CHECK(fits(weights, true, {330 * kMiB}));
  CHECK(!fits(weights, true, {310 * kMiB}));
}

TEST("a vocabulary is private memory, mapped weights or not") {
  WeightMemory weights{256 * kMiB, 0};
  weights.vocabulary = 100 * kMiB;
  CHECK(fits(weights, false, {420 * kMiB}));
  CHECK(!fits(weights, false, {419 * kMiB}));
  CHECK(fits(weights, true, {164 * kMiB}));
  CHECK(!fits(weights, true, {163 * kMiB}));
  CHECK_EQ(weights.sum(), 256 * kMiB);
}

TEST("each device must hold its weights and a margin, the host the rest") {
  const WeightMemory weights{
      256 * kMiB, 0, {{"A0", 256 * kMiB, 0, 0}, {"A1", 100 * kMiB, 0, 0}, {"A2", 0, 0, 0}}};
  const auto room = [](std::uint64_t host, std::uint64_t first, std::uint64_t second) {
    return MemoryRoom{host * kMiB,
                      {{"A0", first * kMiB, 1024 * kMiB},
                       {"A1", second * kMiB, 1024 * kMiB},
                       {"A2", 0, 1024 * kMiB}}};
  };
  CHECK(fits(weights, true, room(100, 512, 356)));
  CHECK(!fits(weights, true, room(100, 511, 1000)));
  CHECK(!fits(weights, true, room(100, 1000, 355)));
  CHECK(!fits(weights, false, room(300, 600, 600)));
  CHECK(fits(weights, true, {100 * kMiB, {{"A0", 0, 0}}}));  // not told
}

TEST("a refusal names the device and its numbers") {
  const MemoryRoom room{0, {{"A0", 300 * kMiB, 1024 * kMiB}, {"A1", 100 * kMiB, 512 * kMiB}}};
  try {
    check_weights_fit("m.gguf", {0, 0, {{"A0", 10 * kMiB, 0, 0}, {"A1", 20 * kMiB, 0, 0}}}, true,
                      room);
    CHECK(false);
  } catch (const Error& error) {
    CHECK_EQ(std::string(error.what()),
             "'m.gguf' needs 276 MiB on A1 (20 MiB of weights, 256 MiB to work with), 100 MiB of "
             "512 MiB are free there; lower gpuLayers, add a device or use a smaller "
             "quantization.");
  }
  MemoryNeeded needed;
  needed.devices = {{"A0", 900 * kMiB, 200 * kMiB, 36 * kMiB}, {"A1", 0, 40 * kMiB, 1 * kMiB}};
  try {
    check_context_fits("A context of 2 slots", needed, room);
    CHECK(false);
  } catch (const Error& error) {
    CHECK_EQ(std::string(error.what()),
             "A context of 2 slots needs 105 MiB on A1 (40 MiB of KV cache, 1 MiB for passes, 64 "
             "MiB beside them), 100 MiB of 512 MiB are free there; lower slots or contextLength, "
             "or put fewer layers on it.");
  }
  needed.devices[1].kv = 35 * kMiB;
  check_context_fits("A context of 2 slots", needed, room);
}

TEST("devices are added up by their names") {
  std::vector<DeviceMemory> devices = {{"A0", 1, 2, 3}};
  add_devices(devices, {{"A1", 4, 5, 6}, {"A0", 10, 20, 30}});
  CHECK_EQ(devices.size(), 2u);
  CHECK_EQ(devices[0].sum(), 66u);
  CHECK_EQ(devices[1].sum(), 15u);
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
