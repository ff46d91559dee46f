// Checkpoints with damaged configs and tokenizers, loaded whole; see reader_fuzz.h. An input is
// one of a real maker's JSON files behind a line with its name; the folder's other files are the
// good ones. What loads must tokenize.
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "model/llama_model.h"
#include "model/llama_runtime.h"
#include "reader_fuzz.h"
#include "temporary_file.h"

using namespace infernode;

namespace {

const std::filesystem::path kFixture = "test/fixtures/checkpoints/autoawq-gemm-llama";
constexpr std::array<const char*, 4> kDamaged = {"config.json", "tokenizer.json",
                                                 "tokenizer_config.json", "generation_config.json"};
constexpr std::uint64_t kInTests = 3'000;
constexpr rlim_t kSpace = fuzz::kAddressSpace == RLIM_INFINITY ? RLIM_INFINITY : rlim_t{4} << 30;

std::string content(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// The fixture's folder again, of which one file is damaged at a time.
class Folder {
 public:
  Folder() {
    for (const char* name : kDamaged) good_.push_back(content(kFixture / name));
    std::filesystem::copy_file(kFixture / "model.safetensors",
                               std::filesystem::path(folder_.path()) / "model.safetensors");
  }

  std::vector<std::string> inputs() const {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < kDamaged.size(); ++i)
      all.push_back(std::string(kDamaged[i]).append("\n").append(good_[i]));
    return all;
  }

  // Damaged names stand for any of the files.
  void load(const std::string& input) const {
    const std::size_t line = std::min(input.find('\n'), input.size());
    const auto* const named = std::ranges::find(kDamaged, input.substr(0, line));
    const std::size_t damaged = named == kDamaged.end()
                                    ? input.size() % kDamaged.size()
                                    : static_cast<std::size_t>(named - kDamaged.begin());
    for (std::size_t i = 0; i < kDamaged.size(); ++i)
      folder_.write(kDamaged[i],
                    i == damaged ? input.substr(std::min(line + 1, input.size())) : good_[i]);
    LoadOptions options;
    options.path = folder_.path();
    options.checkpoint.emplace();
    options.checkpoint->path = folder_.path();
    options.checkpoint->threads = 1;
    const std::atomic<bool> cancelled{false};
    const auto model = LlamaModel::load(
        options, [](float) {}, cancelled);
    if (model->vocab().tokenize("Once upon a time", true, true).empty()) std::abort();
  }

 private:
  TemporaryFolder folder_;
  std::vector<std::string> good_;
};

const std::vector<std::string> kWords =
    fuzz::json_words({"false",
                      "\"rope_scaling\":{\"rope_type\":\"llama3\"},",
                      "\"rope_theta\":0,",
                      "\"head_dim\":0,",
                      "\"num_key_value_heads\":3,",
                      "\"tie_word_embeddings\":true,",
                      "\"sliding_window\":1,",
                      "\"quantization_config\"",
                      "\"quant_method\"",
                      "\"gptq\"",
                      "\"compressed-tensors\"",
                      "\"group_size\":-1,",
                      "\"bits\":8,",
                      "\"zero_point\":false,",
                      "\"desc_act\":true,",
                      "\"LlamaForCausalLM\"",
                      "\"Qwen3ForCausalLM\"",
                      "\"added_tokens\"",
                      "\"pre_tokenizer\"",
                      "\"normalizer\"",
                      "\"model\"",
                      "\"vocab\"",
                      "\"merges\"",
                      "\"BPE\"",
                      "\"Unigram\"",
                      "\"byte_fallback\":true,",
                      "\"ByteLevel\"",
                      "\"Split\"",
                      "\"Regex\"",
                      "\"eos_token_id\":[2,3],",
                      "\"eos_token\"",
                      "\"chat_template\":[{\"name\":\"default\",\"template\":\"x\"}],",
                      "\"id\":4294967296,",
                      "\xff",
                      "[[[[[[[[[[[[[[[[",
                      "{\"a\":{\"a\":{\"a\":"});

}  // namespace

int main(int arguments, char** argument) {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const Folder folder;
  const fuzz::Reader reader{folder.inputs(), kWords,
                            [&](const std::string& input) { folder.load(input); }, kInTests,
                            kSpace};
  return fuzz::main(reader, arguments, argument);
}
