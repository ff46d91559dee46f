// What is said to be needed against what llama.cpp allocates, by its own log: for every
// kind of cache, every type of weights and per-layer arrays of any length.
#include <map>
#include <tuple>

#include "check.h"
#include "ggml.h"
#include "gguf_bytes.h"
#include "llama.h"
#include "model/llama_dry_run.h"
#include "model/llama_log.h"
#include "model/memory_estimate.h"
#include "synthetic_fixture.h"
#include "temporary_file.h"

using namespace infernode;

namespace {

constexpr double kMiB = 1 << 20;
// "2.00 MiB" in a log line is rounded to a hundredth.
constexpr double kRounding = 0.01 * kMiB;

// Sums of the sizes that llama.cpp logs as it allocates, by the words before them.
struct Allocated {
  double weights = 0;
  double repacked = 0;
  double kv = 0;
  double compute = 0;

  void take(std::string_view line) {
    const std::size_t at = line.find("buffer size = ");
    if (at == std::string_view::npos) return;
    const double bytes = std::stod(std::string(line.substr(at + 14))) * kMiB;
    const auto has = [line](std::string_view word) { return line.find(word) != line.npos; };
    if (has(" KV buffer") || has(" RS buffer")) kv += bytes;
    if (has(" compute buffer") || has(" output buffer")) compute += bytes;
    if (has(" model buffer")) (has("REPACK") || has("AMX") ? repacked : weights) += bytes;
  }
};

template <typename Work>
Allocated allocated_by(Work work) {
  Allocated allocated;
  set_llama_log_sink([&](int, std::string_view line) { allocated.take(line); });
  work();
  set_llama_log_sink({});
  return allocated;
}

void check_close(const char* what, const std::string& name, std::uint64_t said, double real) {
  const double off = std::abs(static_cast<double>(said) - real);
  const bool close = off <= 0.05 * real + 2 * kRounding;
  if (!close) {
    std::printf("%s, %s: %.2f MiB said, %.2f allocated\n", name.c_str(), what,
                static_cast<double>(said) / kMiB, real / kMiB);
  }
  CHECK(close);
}

void check_context(const std::shared_ptr<const LlamaModel>& model, const ContextOptions& options,
                   const std::string& name) {
  const MemoryNeeded needed = model->memory_needed(options.shape());
  std::int32_t outputs = 0;
  Allocated real = allocated_by([&] {
    const LlamaBackend backend(model, options);
    outputs = backend.limits().prefill_outputs;
  });
  // llama.cpp allocates logits for more rows than slots in the first pass that has them.
  const std::int32_t later = outputs - options.slots;
  real.compute += 4.0 * later * model->info().vocabulary_size;
  check_close("KV", name, needed.kv_bytes, real.kv);
  check_close("compute", name, needed.compute_bytes, real.compute);
  CHECK_EQ(needed.host_bytes, needed.kv_bytes + needed.compute_bytes);
  CHECK(real.kv > 0 && real.compute > 0);
}

ContextOptions shaped(std::int32_t slots, std::int32_t context_length) {
  return context_of(slots, 512, context_length);
}

// A llama of one layer whose matrices have rows of 512 elements and this type.
GgufBytes of_type(const GgufTensorType& type) {
  GgufBytes file = tiny_llama();
  file.u32("llama.embedding_length", 512).u32("llama.feed_forward_length", 1024);
  file.u32("llama.attention.head_count", 8).u32("llama.attention.head_count_kv", 8);
  file.u32("llama.rope.dimension_count", 64);
  const std::map<std::uint64_t, std::uint64_t> wider = {{16, 512}, {32, 512}, {64, 1024}};
  for (GgufBytes::Tensor& tensor : file.tensors) {
    std::uint64_t elements = 1;
    for (std::uint64_t& length : tensor.shape) {
      const auto found = wider.find(length);
      if (found != wider.end()) length = found->second;
      elements *= length;
    }
    tensor.bytes = elements * 4;
    if (tensor.shape.size() < 2) continue;
    tensor.type = type.number;
    tensor.bytes = elements / type.block_elements * type.block_bytes;
  }
  return file;
}

std::vector<GgufFile> parsed(const std::string& bytes, std::uint64_t size) {
  std::vector<GgufFile> parts;
  parts.push_back(GgufFile::parse(bytes, size, "model.gguf"));
  return parts;
}

std::shared_ptr<const LlamaModel> loaded(const std::string& path, bool memory_map) {
  const std::atomic<bool> cancelled{false};
  return LlamaModel::load({.path = path, .memory_map = memory_map}, nullptr, cancelled);
}

// A model of `layers` whose heads, KV heads and feed-forward are arrays; every other layer
// has two KV heads (deci is a llama whose layers may differ).
GgufBytes with_arrays(std::uint32_t layers) {
  GgufBytes file = tiny_llama();
  for (GgufBytes::Key& key : file.keys) {
    if (key.name.starts_with("llama.")) key.name.replace(0, 5, "deci");
  }
  file.string("general.architecture", "deci").u32("deci.block_count", layers);
  std::vector<GgufBytes::Tensor> own;
  std::erase_if(file.tensors, [&](const GgufBytes::Tensor& tensor) {
    const bool repeated = tensor.name.starts_with("blk.0.");
    if (repeated) own.push_back(tensor);
    return repeated;
  });
  std::vector<std::uint32_t> kv_heads;
  for (std::uint32_t layer = 0; layer < layers; ++layer) {
    kv_heads.push_back(1 + layer % 2);
    for (GgufBytes::Tensor tensor : own) {
      tensor.name = "blk." + std::to_string(layer) + tensor.name.substr(5);
      const bool cached =
          tensor.name.ends_with("attn_k.weight") || tensor.name.ends_with("attn_v.weight");
      if (cached) tensor.shape[1] = 16 * kv_heads.back();
      if (cached) tensor.bytes = 32ull * tensor.shape[1] * 4;
      file.tensors.push_back(tensor);
    }
  }
  file.numbers("deci.attention.head_count", 4, std::vector<std::uint32_t>(layers, 2));
  file.numbers("deci.attention.head_count_kv", 4, kv_heads);
  file.numbers("deci.feed_forward_length", 4, std::vector<std::uint32_t>(layers, 64));
  return file;
}

}  // namespace

TEST("every kind of cache takes what llama.cpp allocates, whatever the engine's shape") {
  for (const char* architecture :
       {"llama", "qwen2", "qwen3", "gemma3", "qwen3moe", "mamba", "jamba"}) {
    SyntheticShape shape = synthetic_shape(architecture);
    shape.layers = 8;
    shape.vocabulary = 20'000;
    const auto model = load_synthetic(shape);
    const std::string name = architecture;
    for (const std::int32_t slots : {1, 3, 16}) {
      check_context(model, shaped(slots, 1000), name + " x " + std::to_string(slots));
      ContextOptions options = shaped(slots, 1000);
      options.flash_attention = false;
      options.whole_windows = true;
      options.prefill_chunk = 64;
      check_context(model, options, name + ", exact, x " + std::to_string(slots));
    }
    ContextOptions options = shaped(2, 700);
    options.speculation = true;
    options.kv_type = KvType::kF32;
    check_context(model, options, name + ", f32, speculating");
    options.kv_type = KvType::kQ8_0;
    check_context(model, options, name + ", q8_0, speculating");
  }
}

TEST("one pool of cells takes what llama.cpp allocates") {
  for (const char* architecture : {"llama", "qwen3moe"}) {
    const auto model = load_synthetic(synthetic_shape(architecture));
    ContextOptions options = shaped(8, 1000);
    options.cells = 3000;
    check_context(model, options, architecture);
  }
}

TEST("shapes that no dry run can afford are scaled up from those that it can") {
  const auto model = load_synthetic(synthetic_shape("llama"));
  const auto bytes = [&](std::int32_t slots, std::int32_t context_length) {
    return model->memory_needed(shaped(slots, context_length).shape());
  };
  const MemoryNeeded some = bytes(4, 4096);
  const MemoryNeeded many = bytes(256, 64 * 4096);
  CHECK_EQ(many.kv_bytes, some.kv_bytes * 64 * 64);
  CHECK(many.compute_bytes > some.compute_bytes * 16);
}

TEST("logits of many sequences are scaled up from those of few") {
  SyntheticShape shape = synthetic_shape("llama");
  shape.vocabulary = 200'000;
  check_context(load_synthetic(shape), shaped(256, 300), "llama x 256");
}

TEST("states of many sequences are scaled up from those of few") {
  SyntheticShape shape = synthetic_shape("mamba");
  shape.vocabulary = 200'000;  // a row of logits counts
  const auto model = load_synthetic(shape);
  check_context(model, shaped(200, 300), "mamba x 200");
}

TEST("per-layer arrays count in models of any number of layers, before and after loading") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const TemporaryFolder folder;
  for (const std::uint32_t layers : {3u, 64u, 80u, 130u}) {
    const std::string path = folder.write("arrays.gguf", with_arrays(layers).file());
    const auto model = loaded(path, true);
    const ContextOptions options = shaped(2, 300);
    std::uint64_t heads = 0;
    for (std::uint32_t layer = 0; layer < layers; ++layer) heads += 1 + layer % 2;
    CHECK_EQ(model->memory_needed(options.shape()).kv_bytes, 2u * 512 * heads * (16 + 16) * 2);
    check_context(model, options, std::to_string(layers) + " layers");
  }
}

TEST("weights of every type lie where the backend puts them") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const TemporaryFolder folder;
  int types = 0;
  for (std::uint32_t number = 0; number < GGML_TYPE_COUNT; ++number) {
    const GgufTensorType* type = gguf_tensor_type(number);
    if (type == nullptr ||
        (ggml_get_type_traits(static_cast<ggml_type>(number))->to_float == nullptr &&
         number != GGML_TYPE_F32))
      continue;
    const std::string bytes = of_type(*type).file();
    const std::string path = folder.write("type.gguf", bytes);
    const WeightMemory said = LlamaDryRun(parsed(bytes, bytes.size()), {}).weights();
    for (const bool memory_map : {true, false}) {
      const Allocated real = allocated_by([&] { loaded(path, memory_map); });
      const std::string name(type->name);
      check_close("repacked", name, said.repacked, real.repacked);
      // A mapping covers what lies between the tensors, repacked ones included.
      if (!memory_map || said.repacked == 0)
        check_close("weights", name, said.mappable, real.weights);
    }
    CHECK_EQ(said.on_devices(), 0u);
    ++types;
  }
  CHECK(types >= 25);
}

TEST("large weights are refused by what the backend copies, no more and no less") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  constexpr std::uint64_t kGiB = 1ull << 30;
  for (const auto& [name, number] : {std::pair{"q8_0", 8u},
                                     {"q6_K", 14u},
                                     {"q5_K", 13u},
                                     {"q4_0", 2u},
                                     {"q4_K", 12u},
                                     {"f16", 1u}}) {
    GgufBytes file = of_type(*gguf_tensor_type(number));
    file.u32("llama.feed_forward_length", 3 << 20);
    std::uint64_t all = 0;
    for (GgufBytes::Tensor& tensor : file.tensors) {
      std::uint64_t& length =
          tensor.name.ends_with("ffn_down.weight") ? tensor.shape[0] : tensor.shape.back();
      if (tensor.name.find(".ffn_") == std::string::npos || tensor.shape.size() < 2) continue;
      tensor.bytes = tensor.bytes / length * (3 << 20);
      length = 3 << 20;
      all += tensor.bytes;
    }
    const std::string header = file.header();
    const std::vector<GgufFile> parts = parsed(header, 64 * kGiB);
    const WeightMemory said = LlamaDryRun(parts, {}).weights();
    // The small model of this type says whether the backend repacks it.
    const std::string small = of_type(*gguf_tensor_type(number)).file();
    const TemporaryFolder folder;
    const std::string path = folder.write("small.gguf", small);
    const bool copies = allocated_by([&] { loaded(path, true); }).repacked > 0;
    CHECK_EQ(said.repacked > all / 2, copies);
    bool refused = false;
    try {
      check_weights_fit("model.gguf", said, true, {said.mappable / 3 + kGiB / 2});
    } catch (const Error& error) {
      refused = error.code() == ErrorCode::kOutOfMemory;
    }
    CHECK_EQ(refused, copies);
    std::printf("%s: %.2f GiB, %s\n", name, static_cast<double>(all) / kGiB,
                copies ? "repacked" : "mapped as it is");
  }
}

TEST("asking logs nothing") {
  const auto model = load_synthetic(synthetic_shape("llama"));
  int lines = 0;
  set_llama_log_sink([&](int, std::string_view) { ++lines; });
  CHECK(model->memory_needed(shaped(2, 300).shape()).kv_bytes > 0);
  set_llama_log_sink({});
  CHECK_EQ(lines, 0);
}

TEST("a context that cannot be made is refused in its own words") {
  const auto model = load_synthetic(synthetic_shape("llama"));
  ContextOptions options = shaped(1, 300);
  options.kv_type = KvType::kQ8_0;
  options.flash_attention = false;
  try {
    static_cast<void>(model->memory_needed(options.shape()));
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kInvalidOption);
    CHECK(std::string(error.what()).find("change kvType or flashAttention") != std::string::npos);
  }
}
