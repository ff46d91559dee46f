// The readers of safetensors headers and of shard indexes under damaged inputs; see
// reader_fuzz.h. A header that is read must tile its file.
#include "checkpoint/safetensors_header.h"

#include <algorithm>

#include "checkpoint/shard_index.h"
#include "checkpoint_bytes.h"
#include "reader_fuzz.h"

using namespace infernode;

namespace {

void read_container(const std::string& bytes) {
  if (bytes.starts_with('{')) {
    const ShardIndex index = parse_shard_index(bytes, "index.json");
    for (const auto& [name, file] : index.tensors)
      if (file >= index.files.size() || index.files[file].find('/') != std::string::npos)
        std::abort();
    return;
  }
  const std::string beginning = bytes.substr(0, 1024);
  const std::uint64_t length = safetensors_header_length(beginning, bytes.size(), "m.safetensors");
  const std::string_view header = std::string_view(bytes).substr(kSafetensorsPrefix, length);
  std::uint64_t sum = kSafetensorsPrefix + length;
  for (const StoredTensor& tensor :
       parse_safetensors_header(header, bytes.size(), "m.safetensors", 0)) {
    const bool empty = std::ranges::find(tensor.shape, 0u) != tensor.shape.end();
    if (tensor.begin + tensor.bytes > bytes.size() || empty) std::abort();
    sum += tensor.bytes;
  }
  if (sum != bytes.size()) std::abort();
}

}  // namespace

int main(int arguments, char** argument) {
  const fuzz::Reader reader{
      {safetensors({{"model.embed_tokens.weight", "BF16", "[4,2]", std::string(16, 'e')},
                    {"model.layers.0.mlp.up_proj.qweight", "I32", "[2,1]", std::string(8, 'q')},
                    {"scalar", "F32", "[]", "1234"}}),
       safetensors_file(R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F4","shape":[2],)"
                        R"("data_offsets":[0,1]}}      )",
                        "x"),
       R"({"metadata":{"total_size":26,"x":[{}]},"weight_map":{)"
       R"("a.weight":"model-00001-of-00002.safetensors",)"
       R"("b.weight":"model-00002-of-00002.safetensors"}})"},
      fuzz::json_words({"\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "\"F32\"",
                        "\"F8_E4M3\"", "\"BOOL\"", "\"weight_map\"", "../",
                        "\"model-00001-of-00002.safetensors\"", "\xff", "[[[[[[[[",
                        std::string(8, '\0'), std::string(8, '\xff')}),
      read_container};
  return fuzz::main(reader, arguments, argument);
}
