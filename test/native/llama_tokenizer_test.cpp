// Tokenizers of checkpoints, run by llama.cpp: ids of awkward texts, equal to those that Hugging
// Face's tokenizers gave (recorded by tools/tokenizers; see there), and the tokens that end a
// generation. Vocabularies alone, no weights.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "check.h"
#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/tokenizer.h"
#include "llama.h"
#include "model/gguf_file.h"
#include "model/gguf_writer.h"
#include "model/llama_runtime.h"
#include "model/model_rules.h"
#include "temporary_file.h"

using namespace infernode;

namespace {

const std::string kFolder = ".build/tokenizers";  // of npm run tokenizers:real

struct LoadedVocabulary {
  struct Free {
    void operator()(llama_model* vocabulary) const { llama_model_free(vocabulary); }
  };
  std::unique_ptr<llama_model, Free> model;
  const llama_vocab* raw = nullptr;

  std::vector<llama_token> tokenize(const std::string& text, bool add, bool parse) const {
    std::vector<llama_token> ids(text.size() + 8);
    const auto length = static_cast<std::int32_t>(text.size());
    const std::int32_t count = llama_tokenize(raw, text.data(), length, ids.data(),
                                              static_cast<std::int32_t>(ids.size()), add, parse);
    ids.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return ids;
  }
};

// What a GGUF file of the architecture needs beside its vocabulary.
void write_shape(GgufWriter& header) {
  header.text("general.architecture", "llama");
  header.whole("llama.context_length", 64);
  header.whole("llama.embedding_length", 32);
  header.whole("llama.block_count", 1);
  header.whole("llama.feed_forward_length", 32);
  header.whole("llama.attention.head_count", 1);
  header.real("llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

// The files of `path` beside a tensor: a folder without weights is no checkpoint.
CheckpointFolder with_tensor(const std::string& path, const TemporaryFolder& folder) {
  std::filesystem::copy(path, folder.path(), std::filesystem::copy_options::recursive);
  std::string tensor = R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  tensor.resize(56, ' ');
  folder.write("model.safetensors", std::string("\x38\0\0\0\0\0\0\0", 8) + tensor + "1234");
  return CheckpointFolder::open(folder.path());
}

LoadedVocabulary load(const std::string& path, std::uint64_t rows,
                      const std::string& architecture) {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const TemporaryFolder checkpoint;
  GgufWriter header;
  write_shape(header);
  write_tokenizer(with_tensor(path, checkpoint), {architecture, rows, {}}, header);
  const std::string bytes = header.header();
  check_tokenizer_rules(GgufFile::parse(bytes, bytes.size(), "the header"));
  const TemporaryFolder folder;
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  LoadedVocabulary loaded;
  loaded.model.reset(
      llama_model_load_from_file(folder.write("vocabulary.gguf", bytes).c_str(), params));
  if (loaded.model == nullptr) throw std::runtime_error("llama.cpp did not load the vocabulary");
  loaded.raw = llama_model_get_vocab(loaded.model.get());
  return loaded;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Stated in docs/decisions/0039: llama.cpp gives these texts a kind of their own.
bool is_stated(const std::string& name, const std::string& text) {
  const auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
  if (name == "gptoss") return has("<|end|>");
  if (name == "gemma3") return has("</s>") || text == "\xe2\x96\x81\xe2\x96\x81";
  return name == "qwen3" && has("</s>");
}

// Compares every recorded text; the first few that differ are named.
void compare(const LoadedVocabulary& loaded, const Json& record, const std::string& name) {
  const Json texts = Json::parse(read_file("test/fixtures/tokenizers/texts.json"));
  std::size_t different = 0;
  for (const auto& [mode, ids] : record.at("ids").items()) {
    CHECK_EQ(ids.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto expected = ids[i].get<std::vector<llama_token>>();
      const auto text = texts[i].get<std::string>();
      const auto found = loaded.tokenize(text, mode == "special", mode == "special");
      if (found == expected || is_stated(name, text) || ++different > 10) continue;
      check::fail(name.c_str(), static_cast<int>(i),
                  mode + ": " + Json(text).dump() + " is " + Json(found).dump() + ", expected " +
                      Json(expected).dump());
    }
  }
  CHECK_EQ(different, std::size_t{0});
}

struct VocabularyTest {
  const char* tokenizer;   // a checkpoint's, of npm run tokenizers:real
  const char* vocabulary;  // of the same tokens, in llama.cpp's sources (llama2's is Mistral's)
};

std::vector<std::string> parts_of(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + separator.size()) {
    end = text.find(separator, at);
    parts.push_back(text.substr(at, end - at));
  }
  return parts;
}

std::vector<llama_token> numbers_of(const std::string& line) {
  std::istringstream words(line);
  return {std::istream_iterator<llama_token>(words), {}};
}

// The texts of a vocabulary's test and the ids expected of them, as llama.cpp's sources have them.
void compare_with_vectors(const LoadedVocabulary& loaded, const VocabularyTest& test) {
  const auto folder = std::filesystem::path(INFERNODE_TEST_VOCABULARY).parent_path();
  const auto stem = (folder / (std::string("ggml-vocab-") + test.vocabulary)).string();
  const auto texts = parts_of(read_file(stem + ".gguf.inp"), "\n__ggml_vocab_test__\n");
  const auto lines = parts_of(read_file(stem + ".gguf.out"), "\n");
  CHECK(texts.size() > 40 && lines.size() >= texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto found = loaded.tokenize(texts[i], false, false);
    if (found == numbers_of(lines[i])) continue;
    check::fail(test.tokenizer, static_cast<int>(i),
                Json(texts[i]).dump() + " is " + Json(found).dump() + ", expected " + lines[i]);
  }
}

}  // namespace

TEST("real tokenizers give the ids that Hugging Face's gives") {
  std::size_t compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator("test/fixtures/tokenizers")) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() != ".json" || name == "texts") continue;
    const Json record = Json::parse(read_file(entry.path()));
    const std::string folder = (std::filesystem::path(kFolder) / name).string();
    if (!std::filesystem::exists(folder)) {
      std::printf("SKIPPED: %s is missing; fetch it with npm run tokenizers:real\n",
                  folder.c_str());
      continue;
    }
    compare(load(folder, record.at("rows"), record.at("architecture")), record, name);
    ++compared;
  }
  std::printf("%zu real tokenizers compared\n", compared);
}

TEST("real tokenizers give the ids that llama.cpp's tests expect of the same vocabulary") {
  std::size_t compared = 0;
  for (const VocabularyTest& test :
       {VocabularyTest{"llama3_1", "llama-bpe"}, VocabularyTest{"qwen3", "qwen2"}}) {
    const std::string folder = (std::filesystem::path(kFolder) / test.tokenizer).string();
    if (!std::filesystem::exists(folder)) {
      std::printf("SKIPPED: %s is missing; fetch it with npm run tokenizers:real\n",
                  folder.c_str());
      continue;
    }
    const auto record =
        Json::parse(read_file(std::string("test/fixtures/tokenizers/") + test.tokenizer + ".json"));
    compare_with_vectors(load(folder, record.at("rows"), record.at("architecture")), test);
    ++compared;
  }
  std::printf("%zu real tokenizers compared with llama.cpp's vectors\n", compared);
}
