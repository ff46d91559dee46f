// The reader of GGUF headers under damaged inputs; see reader_fuzz.h. What llama.cpp makes of
// such headers is model_mutation_test's.
#include "model/gguf_file.h"
#include "model/gguf_writer.h"
#include "reader_fuzz.h"

using namespace infernode;

namespace {

std::string small_file() {
  GgufWriter writer;
  writer.text("general.architecture", "llama");
  writer.whole("llama.block_count", 2);
  writer.real("llama.rope.freq_base", 10000.0f);
  writer.flag("tokenizer.ggml.add_bos_token", true);
  const std::vector<std::int32_t> types = {1, 3, 1};
  writer.integers("tokenizer.ggml.token_type", types);
  writer.texts("tokenizer.ggml.tokens", std::vector<std::string_view>{"<s>", "a", "b\xc3\xa9"});
  const std::vector<std::uint64_t> matrix = {32, 4}, row = {32};
  writer.tensor("blk.0.attn_q.weight", matrix, 8, 136);
  writer.tensor("output_norm.weight", row, 0, 128);
  return writer.header() + std::string(writer.data_bytes(), 'd');
}

// Of every file, beyond the bytes at hand.
constexpr std::uint64_t kWeightBytes = 16u << 20;

// Everything that callers ask of a file.
void read_header(const std::string& bytes) {
  const GgufFile file = GgufFile::parse(bytes, bytes.size() + kWeightBytes, "m.gguf");
  for (const GgufEntry& entry : file.metadata()) {
    if (file.find(entry.key) == nullptr) std::abort();
    if (const auto* array = std::get_if<GgufArray>(&entry.value.value)) {
      if (file.strings(*array).size() > array->length) std::abort();
      if (file.integers(*array).size() > array->length) std::abort();
    }
  }
  for (const GgufTensor& tensor : file.tensors())
    if (file.header_bytes() + tensor.offset + tensor.bytes > bytes.size() + kWeightBytes)
      std::abort();
}

// Without its weights.
std::string embedded_header() {
  constexpr const char* kModel = "assets/tinytale-q8_0.gguf";
  std::string header(GgufFile::read(kModel).header_bytes(), ' ');
  std::ifstream(kModel, std::ios::binary)
      .read(header.data(), static_cast<std::streamsize>(header.size()));
  return header;
}

}  // namespace

int main(int arguments, char** argument) {
  const auto number = [](std::uint64_t value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const fuzz::Reader reader{
      {small_file(), small_file(), small_file(), embedded_header()},
      {number(0), number(1), number(9), number(64), number(1u << 31), number(UINT64_MAX),
       number(INT64_MAX), number(kGgufItemsKept + 1), "GGUF", "general.alignment",
       std::string(4, '\0'), std::string(1, '\x09'), "tokenizer.ggml.tokens", "\xff"},
      read_header};
  return fuzz::main(reader, arguments, argument);
}
