// What LoRA adapters are said to take on each device, beside what the devices' own allocator gave
// away: on one device and on two, with all layers there and with some.
#include <atomic>
#include <cmath>

#include "backend_passes.h"
#include "check.h"
#include "gguf_bytes.h"
#include "llama_limited_device.h"
#include "model/engine_memory.h"
#include "synthetic_fixture.h"
#include "temporary_file.h"

using namespace infernode;

namespace {

constexpr std::int32_t kLayers = 6;
constexpr std::uint64_t kRank = 64;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr double kMiB = 1 << 20;

// Changes the queries and the second feed-forward matrix of each layer, the output and the
// embeddings of tokens, whose pair is the other way round.
GgufBytes adapter_for(const SyntheticShape& shape) {
  const auto width = static_cast<std::uint64_t>(shape.width);
  const auto inner = static_cast<std::uint64_t>(shape.feed_forward);
  const auto tokens = static_cast<std::uint64_t>(shape.vocabulary);
  GgufBytes file;
  file.string("general.type", "adapter").string("general.architecture", shape.architecture);
  file.string("adapter.type", "lora").f32("adapter.lora.alpha", 8);
  const auto pair = [&](const std::string& name, std::uint64_t columns, std::uint64_t rows) {
    file.tensor_f32(name + ".weight.lora_a", {columns, kRank});
    file.tensor_f32(name + ".weight.lora_b", {kRank, rows});
  };
  for (std::int32_t layer = 0; layer < kLayers; ++layer) {
    pair("blk." + std::to_string(layer) + ".attn_q", width, width);
    pair("blk." + std::to_string(layer) + ".ffn_down", inner, width);
  }
  pair("output", width, tokens);
  file.tensor_f32("token_embd.weight.lora_a", {kRank, tokens});
  file.tensor_f32("token_embd.weight.lora_b", {kRank, width});
  return file;
}

SyntheticShape shape_of_model() {
  SyntheticShape shape = synthetic_shape("llama");
  shape.layers = kLayers;
  shape.vocabulary = 4000;
  return shape;
}

std::shared_ptr<const LlamaModel> load_on(const Placement& placement) {
  const SyntheticShape shape = shape_of_model();
  const std::atomic<bool> cancelled{false};
  return LlamaModel::load({.path = shape.reference, .placement = placement, .synthetic = shape},
                          nullptr, cancelled);
}

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / kMiB; }

void compute(LlamaBackend& backend) {
  std::vector<BatchRow> prompt;
  const std::int32_t rows = backend.limits().prefill_capacity;
  for (Position position = 0; position < rows; ++position)
    prompt.push_back({position % 100, 0, position, position + 1 == rows});
  CHECK(run_prefill(backend, prompt) == DecodeStatus::kOk);
  CHECK(run_decode(backend, std::vector<BatchRow>{{1, 0, rows, true}}, false) == DecodeStatus::kOk);
}

}  // namespace

TEST("estimates of LoRA adapters and their passes are what each device's allocator counts") {
  LimitedDevices& devices = limited_devices(kGiB);
  const TemporaryFolder folder;
  const std::string lora = folder.write("lora.gguf", adapter_for(shape_of_model()).file());
  const std::vector<Placement> places = {
      {{"Limited0"}, kAllLayers},
      {{"Limited0"}, 3},
      {{"Limited0", "Limited1"}, kAllLayers, SplitMode::kLayer, {2, 1}},
      {{"Limited1", "Limited0"}, 4, SplitMode::kLayer, {1, 1}},
  };
  for (const Placement& placement : places) {
    const auto model = load_on(placement);
    ContextOptions options = context_of(2, 256, 600);
    const MemoryNeeded plain = engine_memory(*model, nullptr, options);
    options.loras.push_back({"difference", lora, 1});
    const MemoryNeeded needed = engine_memory(*model, nullptr, options);
    LlamaBackend backend(model, options);
    compute(backend);
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < needed.devices.size(); ++i) {
      const DeviceMemory& said = needed.devices[i];
      const int device = said.name.back() - '0';
      const std::uint64_t other = devices.lying(device, 0);  // KV cache and adapters
      const std::uint64_t passes = devices.lying(device, 2);
      std::printf("%s: adapters %.3f, KV %.3f, both %.3f, compute %.3f (%.3f) MiB\n",
                  said.name.c_str(), mib(said.adapters), mib(said.kv), mib(other),
                  mib(said.compute), mib(passes));
      CHECK(said.adapters > 0);
      CHECK_EQ(said.weights, plain.devices[i].weights + said.adapters);
      CHECK(std::abs(mib(said.adapters + said.kv) - mib(other)) <= 0.01 * mib(other));
      CHECK(said.compute >= passes);
      CHECK(mib(said.compute) <= 1.2 * mib(passes) + 1.1);
      all += said.adapters;
    }
    CHECK(all < needed.weight_bytes - plain.weight_bytes);  // embeddings are the host's
  }
}

TEST("adapters that do not fit on a device are refused by its name and their bytes") {
  LimitedDevices& devices = limited_devices(kGiB);
  const TemporaryFolder folder;
  const std::string lora = folder.write("lora.gguf", adapter_for(shape_of_model()).file());
  const auto model = load_on({{"Limited0"}, kAllLayers});
  ContextOptions options = context_of(1, 64, 256);
  const DeviceMemory plain = engine_memory(*model, nullptr, options).devices.front();
  // Room for the engine, and for half of the adapter.
  options.loras.push_back({"difference", lora, 1});
  const DeviceMemory more = engine_memory(*model, nullptr, options).devices.front();
  devices.memory[0].limit =
      devices.memory[0].used + plain.kv + plain.compute + more.adapters / 2 + (64 << 20);
  devices.allocation.calls = 0;
  try {
    check_engine_fits(*model, nullptr, options);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kOutOfMemory);
    std::printf("%s\n", error.what());
    CHECK(std::string(error.what()).find(" MiB of LoRA adapters, ") != std::string::npos);
  }
  CHECK_EQ(devices.allocation.calls.load(), 0);
}
