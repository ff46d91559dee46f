// The arithmetic of "does it fit": cache sizes against hand-made numbers, and
// the rule that refuses weights.
#include "model/memory_estimate.h"

#include "check.h"
#include "core/types.h"
#include "gguf_bytes.h"

using namespace infernode;

namespace {

GgufFile parsed(const GgufBytes& file) {
  const std::string bytes = file.file();
  return GgufFile::parse(bytes, bytes.size(), "model.gguf");
}

bool fits(const GgufFile& file, const WeightPlacement& placement) {
  try {
    check_weights_fit(std::span(&file, 1), placement);
    return true;
  } catch (const Error& error) {
    CHECK_EQ(error_name(error.code()), error_name(ErrorCode::kOutOfMemory));
    CHECK(std::string(error.what()).find(" MiB") != std::string::npos);
    return false;
  }
}

constexpr std::uint64_t kMiB = 1 << 20;

// 512 MiB of f32 in one layer, 256 MiB of it repackable when `quantized`.
GgufFile half_gigabyte(bool quantized) {
  GgufBytes file = tiny_llama();
  file.tensors.clear();
  file.tensors.push_back({"token_embd.weight", {1024, 65536}, 0, 256 * kMiB});
  if (quantized)
    file.tensors.push_back({"output.weight", {1u << 20, 455}, 2, 268369920});
  else
    file.tensors.push_back({"output.weight", {1024, 65536}, 0, 256 * kMiB});
  return GgufFile::parse(file.header(), 1ull << 40, "model.gguf");
}

}  // namespace

TEST("per-layer head counts and separate key and value lengths are counted") {
  GgufBytes file = tiny_llama();
  file.u32("llama.block_count", 3);
  file.numbers<std::uint32_t>("llama.attention.head_count", 4, {2, 2, 2});
  file.numbers<std::uint32_t>("llama.attention.head_count_kv", 4, {2, 0, 1});
  file.u32("llama.attention.key_length", 64).u32("llama.attention.value_length", 32);
  const MemoryNeeded needed = estimate_memory(parsed(file), {2, 300, 64, KvType::kF16});
  CHECK_EQ(needed.kv_bytes, 2u * 512 * 3 * (64 + 32) * 2);
  const MemoryNeeded packed = estimate_memory(parsed(file), {2, 300, 64, KvType::kQ8_0});
  CHECK_EQ(packed.kv_bytes, needed.kv_bytes / 2 * 34 / 32);
}

TEST("one pool of cells is counted by its cells, not by its slots") {
  const GgufFile file = parsed(tiny_llama());
  EngineShape shape{8, 512, 64, KvType::kF16};
  const std::uint64_t streams = estimate_memory(file, shape).kv_bytes;
  shape.cells = 1000;  // rounded up to 1024
  CHECK_EQ(estimate_memory(file, shape).kv_bytes * 4, streams);
}

TEST("heads without a KV count hold a key and a value each") {
  GgufBytes file = tiny_llama();
  file.remove("llama.attention.head_count_kv");
  CHECK_EQ(estimate_memory(parsed(file), {1, 256, 64, KvType::kF16}).kv_bytes, 256u * 2 * 32 * 2);
}

TEST("recurrent models count a state per slot and no positions") {
  GgufBytes file = tiny_llama();
  for (GgufBytes::Key& key : file.keys) {
    if (key.name.starts_with("llama.")) key.name = "mamba." + key.name.substr(6);
  }
  file.string("general.architecture", "mamba").remove("mamba.attention.head_count");
  file.remove("mamba.attention.head_count_kv");
  file.u32("mamba.ssm.conv_kernel", 4)
      .u32("mamba.ssm.inner_size", 64)
      .u32("mamba.ssm.state_size", 16);
  const std::uint64_t state = (3 * 64 + 64 * 16) * 4;
  CHECK_EQ(estimate_memory(parsed(file), {5, 4096, 64, KvType::kF16}).kv_bytes, 5 * state);
}

TEST("attention that is not flash needs room for its scores") {
  const GgufFile file = parsed(tiny_llama());
  const std::uint64_t flash =
      estimate_memory(file, {1, 4096, 512, KvType::kF16, true}).compute_bytes;
  const std::uint64_t plain =
      estimate_memory(file, {1, 4096, 512, KvType::kF16, false}).compute_bytes;
  CHECK_EQ(plain - flash, 512u * 4096 * 2 * 4);
}

TEST("weights read into memory must fit whole, mapped ones may be four times as large") {
  const GgufFile file = half_gigabyte(false);
  CHECK(fits(file, {0, false, 600 * kMiB}));
  CHECK(!fits(file, {0, false, 550 * kMiB}));
  CHECK(fits(file, {0, true, 130 * kMiB}));
  CHECK(!fits(file, {0, true, 120 * kMiB}));
  CHECK(fits(file, {0, false, 0}));  // unknown
}

TEST("mapped weights that are repacked count as private memory") {
  const GgufFile file = half_gigabyte(true);
  CHECK(fits(file, {0, true, 330 * kMiB}));
  CHECK(!fits(file, {0, true, 310 * kMiB}));
}

TEST("a GPU must hold its layers and a margin") {
  const GgufFile file = half_gigabyte(false);
  CHECK(fits(file, {-1, true, 600 * kMiB, 600 * kMiB, 1}));
  CHECK(!fits(file, {-1, true, 600 * kMiB, 500 * kMiB, 1}));
  CHECK(fits(file, {1, true, 600 * kMiB, 400 * kMiB, 1}));  // one of two layers
  CHECK(fits(file, {-1, true, 600 * kMiB, 0, 0}));          // no GPU: the host's rule
}
