// Loading through llama.cpp: what a model tells about itself, tokenizing both
// ways, and the distinct refusals. The model is tiny_llama(), made here.
#include "model/llama_model.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "check.h"
#include "core/types.h"
#include "ggml.h"
#include "gguf_bytes.h"
#include "model/architectures.h"
#include "model/llama_abort.h"
#include "model/llama_backend.h"
#include "model/llama_devices.h"
#include "model/llama_log.h"
#include "model/llama_runtime.h"
#include "temporary_file.h"

using namespace infernode;

namespace {

std::shared_ptr<const LlamaModel> load_file(const std::string& path, bool memory_map = true,
                                            const ProgressCallback& progress = {}) {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const std::atomic<bool> cancelled{false};
  LoadOptions options;
  options.path = path;
  options.memory_map = memory_map;
  return LlamaModel::load(options, progress, cancelled);
}

std::shared_ptr<const LlamaModel> load_bytes(const std::string& bytes) {
  const TemporaryFolder folder;
  return load_file(folder.write("model.gguf", bytes));
}

struct Refusal {
  std::string code = "none";
  std::string message;
  bool says(const std::string& part) const { return message.find(part) != std::string::npos; }
};

Refusal refusal_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return {std::string(error_name(error.code())), error.what()};
  }
  check::fail(__FILE__, __LINE__, "was not refused");
  return {};
}

void check_corrupt(const GgufBytes& file, const std::string& named) {
  const Refusal refusal = refusal_of([&] { load_bytes(file.file()); });
  CHECK_EQ(refusal.code, std::string(error_name(ErrorCode::kModelCorrupt)));
  if (!refusal.says(named)) check::fail(named.c_str(), 0, "not named: " + refusal.message);
}

GgufBytes as_architecture(const std::string& name) {
  GgufBytes file = tiny_llama();
  for (GgufBytes::Key& key : file.keys) {
    if (key.name.starts_with("llama.")) key.name = name + key.name.substr(5);
  }
  return file.string("general.architecture", name);
}

}  // namespace

TEST("a folder without backends is refused and the runtime can start afterwards") {
  const TemporaryFolder folder;
  CHECK(refusal_of([&] { start_llama_runtime(folder.path()); }).says("No CPU backend"));
  CHECK(llama_devices().empty());
  start_llama_runtime(INFERNODE_TEST_BACKENDS, {folder.path() + "/missing.so"});
  CHECK_EQ(llama_devices().at(0).name, "CPU");
  CHECK(llama_devices().at(0).memory_total > 0);
}

TEST("the first sink gets the lines of the start, a later one does not") {
  std::string heard;
  const auto hear = [&](int, std::string_view line) { heard += std::string(line) + "\n"; };
  set_llama_log_sink(hear);
  set_llama_log_sink({});
  CHECK(heard.find("loaded CPU backend from ") != std::string::npos);
  CHECK(heard.find("/missing.so: ") != std::string::npos);
  heard.clear();
  set_llama_log_sink(hear);
  set_llama_log_sink({});
  CHECK_EQ(heard, "");
}

TEST("a model reports its shape, special tokens and device") {
  const auto model =
      load_bytes(tiny_llama().string("tokenizer.chat_template", "{{ messages }}").file());
  const ModelInfo& info = model->info();
  CHECK_EQ(info.architecture, "llama");
  CHECK_EQ(info.name, "tiny");
  CHECK_EQ(info.vocabulary_size, 261);
  CHECK_EQ(info.context_length, 64);
  CHECK_EQ(info.embedding_length, 32);
  CHECK_EQ(info.layer_count, 1);
  CHECK_EQ(info.bos_token, 1);
  CHECK_EQ(info.eos_token, 2);
  CHECK(info.add_bos);
  CHECK(info.has_chat_template);
  CHECK_EQ(info.chat_template, "{{ messages }}");
  CHECK_EQ(info.devices.size(), 1u);
  CHECK_EQ(info.devices.at(0).name, "CPU");
  CHECK_EQ(info.devices.at(0).layers.size(), 1u);
  CHECK(info.devices.at(0).has_output);
  CHECK_EQ(info.devices.at(0).weight_bytes, info.size_bytes);
  std::uint64_t elements = 0;
  for (const GgufTensor& tensor : model->file().tensors()) elements += tensor.elements;
  CHECK_EQ(info.parameter_count, elements);
  CHECK_EQ(info.size_bytes, model->file().weight_bytes());
  CHECK(!info.recurrent);
  CHECK(model->handle() != nullptr);
}

TEST("the vocabulary holds bytes for words and bytes, nothing for control tokens") {
  const auto model = load_bytes(tiny_llama().file());
  const LlamaVocab& vocab = model->vocab();
  CHECK_EQ(vocab.size(), 261);
  CHECK_EQ(vocab.piece(1), "");
  CHECK_EQ(vocab.piece(3), " the");
  CHECK_EQ(vocab.piece(5 + 'A'), "A");
  CHECK_EQ(vocab.piece(5), std::string_view("\0", 1));
  CHECK_EQ(vocab.piece(260), "\xff");
  CHECK_EQ(vocab.piece(-1), "");
  CHECK_EQ(vocab.piece(261), "");
  CHECK(vocab.is_end_of_generation(2));
  CHECK(!vocab.is_end_of_generation(1));
  CHECK(!vocab.is_end_of_generation(-1));
  CHECK(!vocab.is_end_of_generation(261));
}

TEST("any text survives tokenizing and detokenizing") {
  const auto model = load_bytes(tiny_llama().file());
  for (const std::string text :
       {"", "the", "the the", " the", "x", "\xc3\xa9\xe2\x82\xac", "a\nb\0c", "\xff\xfe"}) {
    const auto tokens = model->vocab().tokenize(text, true, false);
    CHECK(!tokens.empty());
    CHECK_EQ(tokens.at(0), 1);
    CHECK_EQ(model->vocab().detokenize(tokens, false), text);
  }
  CHECK_EQ(model->vocab().tokenize("</s>", false, true).size(), 1u);
  CHECK(model->vocab().tokenize("</s>", false, false).size() > 1);
  CHECK_EQ(model->vocab().detokenize(std::vector<TokenId>{1, 3, 2}, true), "<s>the</s>");
  CHECK(
      refusal_of([&] { model->vocab().detokenize(std::vector<TokenId>{261}, false); }).says("261"));
}

TEST("a model can be tokenized with from several threads at once") {
  const auto model = load_bytes(tiny_llama().file());
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const std::string text =
          "the " + std::string(static_cast<std::size_t>(200 + i), static_cast<char>('a' + i));
      for (int round = 0; round < 20; ++round) {
        if (model->vocab().detokenize(model->vocab().tokenize(text, true, true), false) != text)
          ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(wrong.load(), 0);
}

TEST("progress rises to 1 and a cancelled load is kCancelled") {
  const TemporaryFolder folder;
  const std::string path = folder.write("model.gguf", tiny_llama().file());
  for (const bool memory_map : {true, false}) {
    float last = -1;
    load_file(path, memory_map, [&](float fraction) {
      CHECK(fraction > last);
      last = fraction;
    });
    CHECK_EQ(last, 1.0f);
  }
  std::atomic<bool> cancelled{false};
  LoadOptions options;
  options.path = path;
  const Refusal refusal = refusal_of([&] {
    LlamaModel::load(
        options, [&](float) { cancelled = true; }, cancelled);
  });
  CHECK_EQ(refusal.code, std::string(error_name(ErrorCode::kCancelled)));
}

TEST("an architecture llama.cpp does not know is named") {
  const GgufBytes file = as_architecture("nonesuch");
  const Refusal refusal = refusal_of([&] { load_bytes(file.file()); });
  CHECK_EQ(refusal.code, std::string(error_name(ErrorCode::kModelArchitectureUnsupported)));
  CHECK(refusal.says("'nonesuch'"));
  CHECK(refusal_of([&] {
          load_bytes(tiny_llama().string("general.architecture", "bert").file());
        }).says("'bert'"));
}

TEST("an unknown architecture with keys of its own is reported as unknown, not as corrupt") {
  const GgufBytes file = tiny_llama().string("general.architecture", "nonesuch");
  const Refusal refusal = refusal_of([&] { load_bytes(file.file()); });
  CHECK_EQ(refusal.code, std::string(error_name(ErrorCode::kModelArchitectureUnsupported)));
  CHECK(refusal.says("'nonesuch'"));
}

TEST("every architecture's name comes from the sources in use") {
  for (const char* name : {"llama", "qwen2", "qwen3", "gemma3", "mamba", "jamba", "qwen3moe"})
    CHECK(known_architecture(name));
  CHECK(!known_architecture("(unknown)"));
  CHECK(!known_architecture(""));
}

TEST("the error of a context that llama.cpp refuses has its reason") {
  const auto model = load_bytes(tiny_llama().file());
  ContextOptions options;
  options.context_length = 64;
  options.kv_type = KvType::kQ8_0;  // blocks of 32; its heads are 16 wide
  const Refusal refusal = refusal_of([&] { LlamaBackend(model, options); });
  CHECK_EQ(refusal.code, std::string(error_name(ErrorCode::kInvalidOption)));
  CHECK(refusal.says("block size 32"));
  CHECK(refusal.says("kvType"));
}

TEST("hyperparameters that would end the process are refused by name") {
  check_corrupt(tiny_llama().u32("llama.block_count", 0), "llama.block_count");
  check_corrupt(tiny_llama().u32("llama.block_count", 513), "llama.block_count");
  check_corrupt(tiny_llama().u32("llama.attention.head_count_kv", 3), "head_count_kv");
  check_corrupt(tiny_llama().u32("llama.attention.head_count", 64), "head_count");
  check_corrupt(tiny_llama().u32("llama.expert_count", 4), "expert_used_count");
  check_corrupt(tiny_llama().u32("llama.expert_count", 2000), "expert_count");
  check_corrupt(tiny_llama().u32("llama.expert_used_count", 2), "expert_used_count");
  check_corrupt(tiny_llama().string("llama.rope.scaling.type", "cubic"), "rope.scaling.type");
  check_corrupt(tiny_llama().f32("llama.attention.layer_norm_rms_epsilon", -1),
                "layer_norm_rms_epsilon");
  check_corrupt(tiny_llama().u32("llama.rope.dimension_count", 15), "rope.dimension_count");
  check_corrupt(tiny_llama().remove("llama.context_length"), "llama.context_length' is missing");
  check_corrupt(tiny_llama().string("llama.context_length", "64"), "must be a uint32, is string");
}

TEST("zeros that an architecture divides by are refused, others are not") {
  check_corrupt(as_architecture("phimoe").remove("phimoe.attention.head_count"), "head_count");
  check_corrupt(as_architecture("qwen3next"), "qwen3next.expert_used_count");
  check_corrupt(as_architecture("mamba2").u32("mamba2.ssm.group_count", 0), "ssm.group_count");
  check_corrupt(as_architecture("rwkv6").u32("rwkv6.wkv.head_size", 0), "wkv.head_size");
  const Refusal plamo = refusal_of(
      [] { load_bytes(as_architecture("plamo2").u32("plamo2.ssm.group_count", 0).file()); });
  CHECK(!plamo.says("group_count"));
  const Refusal small = refusal_of([] { load_bytes(as_architecture("smallthinker").file()); });
  CHECK(small.says("SMALLTHINKER"));  // an assertion, caught by the guard
}

TEST("tokenizers that would end the process are refused by name") {
  check_corrupt(
      tiny_llama().strings("tokenizer.ggml.tokens", std::vector<std::string>(261, "same")),
      "token 1 has the text of an earlier token");
  GgufBytes one_token = tiny_llama().strings("tokenizer.ggml.tokens", {"a"});
  one_token.tensors[0].shape = {32, 1};
  one_token.tensors[0].bytes = 128;
  check_corrupt(one_token, "beginning token");
  check_corrupt(tiny_llama().numbers<std::int32_t>("tokenizer.ggml.token_type", 5, {1, 2}),
                "token_type");
  check_corrupt(tiny_llama().remove("tokenizer.ggml.tokens"), "tokenizer.ggml.tokens");
  check_corrupt(tiny_llama().string("tokenizer.ggml.bos_token_id", "1"), "bos_token_id");
  const Refusal none =
      refusal_of([] { load_bytes(tiny_llama().string("tokenizer.ggml.model", "none").file()); });
  CHECK(none.says("has no vocabulary"));
  const Refusal odd =
      refusal_of([] { load_bytes(tiny_llama().string("tokenizer.ggml.model", "odd").file()); });
  CHECK_EQ(odd.code, std::string(error_name(ErrorCode::kModelLoadFailed)));
  CHECK(odd.says("unknown tokenizer"));
}

TEST("tensors llama.cpp cannot compute with are refused by name") {
  GgufBytes file = tiny_llama();
  file.tensors[1].type = 26;
  check_corrupt(file, "'output_norm.weight' has type i32");
  file = tiny_llama();
  file.tensors.clear();
  check_corrupt(file, "no tensors");
  file = tiny_llama();
  file.tensors[3].shape = {16, 64};
  const Refusal shape = refusal_of([&] { load_bytes(file.file()); });
  CHECK_EQ(shape.code, std::string(error_name(ErrorCode::kModelLoadFailed)));
  CHECK(shape.says("blk.0.attn_q.weight"));
}

TEST("log lines reach the sink whole and nothing else does") {
  std::mutex mutex;
  std::vector<std::string> lines;
  set_llama_log_sink([&](int level, std::string_view text) {
    const std::lock_guard lock(mutex);
    CHECK(level >= 1 && level <= 4);
    lines.emplace_back(text);
  });
  load_bytes(tiny_llama().file());
  set_llama_log_sink({});
  CHECK(lines.size() > 20);
  for (const std::string& line : lines) CHECK(line.find('\n') == std::string::npos);
  const std::size_t heard = lines.size();
  load_bytes(tiny_llama().file());
  CHECK_EQ(lines.size(), heard);
}

TEST("a split model loads from its first part and names a missing one") {
  GgufBytes whole = tiny_llama();
  GgufBytes first = whole, second;
  first.tensors.resize(4);
  second.tensors.assign(whole.tensors.begin() + 4, whole.tensors.end());
  const auto number = [](GgufBytes& part, std::uint16_t index) {
    part.u16("split.no", index).u16("split.count", 2);
    part.set("split.tensors.count",
             GgufBytes::number<std::uint32_t>(5) + GgufBytes::number<std::int32_t>(11));
  };
  number(first, 0);
  number(second, 1);
  const TemporaryFolder folder;
  const std::string path = folder.write("m-00001-of-00002.gguf", first.file());
  CHECK(refusal_of([&] {
          load_file(path);
        }).says("m-00002-of-00002.gguf' does not exist, and it is part 2 of 2 of the model"));
  folder.write("m-00002-of-00002.gguf", second.file());
  CHECK_EQ(load_file(path)->info().parameter_count,
           261u * 32 + 32 * 3 + 32 * 32 * 2 + 16 * 32 * 2 + 64 * 32 * 3);
  // llama.cpp's splitter writes no architecture into later parts.
  GgufBytes bare;
  bare.tensors = second.tensors;
  number(bare, 1);
  const std::string later = folder.write("m-00002-of-00002.gguf", bare.file());
  const Refusal named = refusal_of([&] { load_file(later); });
  CHECK_EQ(named.code, std::string(error_name(ErrorCode::kModelFormatUnsupported)));
  CHECK(named.says("is part 2 of 2 of a split model; name its first part, '" + path + "'"));
  CHECK(refusal_of([&] {
          load_file(folder.write("renamed.gguf", bare.file()));
        }).says("the file that ends in '-00001-of-00002.gguf'"));
  number(second, 0);
  folder.write("m-00002-of-00002.gguf", second.file());
  CHECK(refusal_of([&] { load_file(path); }).says("split.no"));
  CHECK(refusal_of([&] {
          load_file(folder.write("other.gguf", first.file()));
        }).says("its name must end in"));
}

TEST("the KV estimate is keys and values of every layer, padded to 256 positions") {
  const auto model = load_bytes(tiny_llama().file());
  const MemoryNeeded needed = model->memory_needed({3, 100, 64, KvType::kF16});
  CHECK_EQ(needed.kv_bytes, 3u * 256 * (16 + 16) * 2);
  CHECK_EQ(model->memory_needed({1, 257, 64, KvType::kF32}).kv_bytes, 512u * 32 * 4);
  CHECK_EQ(needed.weight_bytes, model->info().size_bytes);
  CHECK(needed.compute_bytes > 0);
}

TEST("the table of tensor types is ggml's") {
  int known = 0;
  for (int number = 0; number < GGML_TYPE_COUNT; ++number) {
    const auto ggml = static_cast<ggml_type>(number);
    const GgufTensorType* type = gguf_tensor_type(static_cast<std::uint32_t>(number));
    CHECK_EQ(type != nullptr, ggml_blck_size(ggml) > 0);
    if (type == nullptr) continue;
    ++known;
    CHECK_EQ(type->name, ggml_type_name(ggml));
    CHECK_EQ(static_cast<std::int64_t>(type->block_elements), ggml_blck_size(ggml));
    CHECK_EQ(type->block_bytes, ggml_type_size(ggml));
  }
  CHECK_EQ(known, 35);
  CHECK(gguf_tensor_type(GGML_TYPE_COUNT) == nullptr);
}

TEST("under a guard ggml's abort is an exception without folders") {
  const LlamaAbortGuard guard;
  std::string message;
  try {
    ggml_abort("/some/where/file.cpp", 7, "because of %d", 3);
  } catch (const LlamaAborted& aborted) {
    message = aborted.what();
  }
  CHECK_EQ(message, "file.cpp:7: because of 3");
}
