// Long texts in slices: with every tokenizer whose vocabulary llama.cpp carries, and
// texts cut wherever they can be, the tokens are those of the whole; no text has fewer
// tokens than is said.
#include <filesystem>
#include <memory>
#include <random>
#include <string>

#include "check.h"
#include "llama.h"
#include "model/llama_text_slices.h"
#include "model/tokenizing.h"
#include "model_fixture.h"

using namespace infernode;

namespace {

struct Vocabulary {
  std::unique_ptr<llama_model, decltype(&llama_model_free)> model{nullptr, llama_model_free};
  const llama_vocab* raw = nullptr;
  bool adds_space = false;

  std::string meta(const char* key) const {
    std::string value(256, '\0');
    const int length = llama_model_meta_val_str(model.get(), key, value.data(), value.size());
    value.resize(static_cast<std::size_t>(std::max(length, 0)));
    return value;
  }
};

Vocabulary load(const std::string& path) {
  Vocabulary vocabulary;
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  vocabulary.model.reset(llama_model_load_from_file(path.c_str(), params));
  if (vocabulary.model == nullptr) throw std::runtime_error("no vocabulary at " + path);
  vocabulary.raw = llama_model_get_vocab(vocabulary.model.get());
  vocabulary.adds_space = llama_vocab_type(vocabulary.raw) == LLAMA_VOCAB_TYPE_SPM &&
                          vocabulary.meta("tokenizer.ggml.add_space_prefix") != "false";
  return vocabulary;
}

std::vector<TokenId> tokens_of(const llama_vocab* vocab, std::string_view text, bool special) {
  std::vector<TokenId> tokens(text.size() + 16);
  const int count = llama_tokenize(vocab, text.data(), static_cast<int>(text.size()), tokens.data(),
                                   static_cast<int>(tokens.size()), false, special);
  if (count < 0) throw std::runtime_error("more tokens than bytes");
  tokens.resize(static_cast<std::size_t>(count));
  return tokens;
}

// Words, numbers, marks and spaces of many kinds, and the vocabulary's special tokens.
std::string random_text(std::mt19937& random, const llama_vocab* vocab, int parts) {
  static const std::vector<std::string> words = {"once",
                                                 "upon",
                                                 "a",
                                                 "The",
                                                 "fox's",
                                                 "don't",
                                                 "HELLO",
                                                 "x",
                                                 "12",
                                                 "2024",
                                                 "3.14",
                                                 ",",
                                                 ".",
                                                 ";",
                                                 "/*",
                                                 "*/",
                                                 "(a)",
                                                 "{",
                                                 "}",
                                                 "\"q\"",
                                                 "//",
                                                 "#",
                                                 "_id",
                                                 "\xC3\xA9t\xC3\xA9",
                                                 "\xD0\xBC\xD0\xB8\xD1\x80",
                                                 "\xE4\xBD\xA0\xE5\xA5\xBD",
                                                 "\xE3\x80\x82",
                                                 "\xE3\x81\x82",
                                                 "\xF0\x9F\x98\x80",
                                                 "\xC2\xA0",
                                                 "\xE3\x80\x80",
                                                 "\xE2\x96\x81",
                                                 "'s",
                                                 "'ll",
                                                 "$",
                                                 "%d",
                                                 "a1b2",
                                                 "\xD8\xA7"};
  static const std::vector<std::string> gaps = {" ",  " ",  " ",    " ",   "\n",   "\n", "",
                                                "  ", "\t", "\n\n", " \n", "\r\n", "   "};
  std::string text;
  for (int i = 0; i < parts; ++i) {
    if (random() % 12 == 0) {
      const TokenId token =
          static_cast<TokenId>(random() % static_cast<unsigned>(llama_vocab_n_tokens(vocab)));
      text += llama_vocab_get_text(vocab, token);
    } else {
      text += words[random() % words.size()];
    }
    text += gaps[random() % gaps.size()];
  }
  return text;
}

}  // namespace

TEST("slices have the tokens of the whole, whatever the tokenizer") {
  const auto folder = std::filesystem::path(INFERNODE_TEST_VOCABULARY).parent_path();
  std::mt19937 random(20261129);
  int divisible = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("ggml-vocab-") || entry.path().extension() != ".gguf") continue;
    const Vocabulary vocabulary = load(entry.path().string());
    const TextSlices slices(vocabulary.raw, vocabulary.meta("tokenizer.ggml.model"),
                            vocabulary.adds_space);
    std::size_t splits = 0;
    int wrong = 0;
    for (int round = 0; round < 300; ++round) {
      const std::string text = random_text(random, vocabulary.raw, 60);
      const bool special = round % 2 == 0;
      const std::size_t bytes = 1 + random() % 100;
      std::vector<TokenId> sliced;
      for (std::string_view rest = text; !rest.empty();) {
        const TextSlices::Slice slice = slices.first(rest, bytes);
        const auto more = tokens_of(vocabulary.raw, rest.substr(0, slice.length), special);
        sliced.insert(sliced.end(), more.begin(), more.end());
        rest.remove_prefix(slice.next);
        if (!rest.empty()) ++splits;
      }
      const auto whole = tokens_of(vocabulary.raw, text, special);
      if (sliced != whole && ++wrong == 1) std::printf("%s: <<%s>>\n", name.c_str(), text.c_str());
      CHECK(slices.fewest_tokens(text.size(), special) <= whole.size());
    }
    std::printf("%-36s %zu splits, %d of 300 texts wrong\n", name.c_str(), splits, wrong);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(splits > 0, slices.divisible());
    divisible += slices.divisible() ? 1 : 0;
  }
  CHECK(divisible >= 12);
}

TEST("a long prompt has the same tokens in slices, with special ones around it") {
  const auto model = load_embedded("q8_0");
  const TextSlices slices(*model);
  std::string text = "  Once";
  for (int i = 0; i < 20000; ++i) text += " upon a time, 12 foxes\nran.";
  for (const bool special : {false, true}) {
    Tokenizing work(*model, slices, {text, special, false});
    int steps = 1;
    for (std::size_t least = work.least_tokens(); work.step(); ++steps) {
      CHECK(work.least_tokens() >= least);
      least = work.least_tokens();
    }
    CHECK(steps > 10);
    CHECK(work.tokens() == model->vocab().tokenize(text, special, false));
  }
}

TEST("a text that cannot be split is one slice") {
  const auto model = load_embedded("q8_0");
  const TextSlices slices(*model);
  const std::string text(100'000, 'a');
  CHECK_EQ(slices.first(text, 1000).next, text.size());
  Tokenizing work(*model, slices, {text, true, false});
  CHECK(!work.step());
  CHECK(work.tokens() == model->vocab().tokenize(text, true, false));
}
