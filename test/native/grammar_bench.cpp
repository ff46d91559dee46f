// What a grammar costs a step: our masks beside llama.cpp's own grammar sampler
// on the same texts, with a vocabulary of the pinned tree. A text is drawn at
// random among the allowed tokens; at each step every token is judged by both.
// Prints per grammar, in microseconds: the first and the slowest mask of a place
// never seen, the mean of places seen before, and llama.cpp's mean.
// Not a test: it asserts nothing.
//   grammar_bench vocabulary.gguf grammar.gbnf...
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "core/grammar/constraint.h"
#include "core/grammar/grammar_cache.h"
#include "llama.h"

using namespace infernode;

namespace {

constexpr int kSteps = 100;

class FileVocab final : public Vocab {
 public:
  explicit FileVocab(const llama_vocab* vocab) {
    std::string piece(256, '\0');
    for (TokenId token = 0; token < llama_vocab_n_tokens(vocab); ++token) {
      const std::int32_t length =
          llama_token_to_piece(vocab, token, piece.data(), 256, 0, /*special=*/false);
      pieces_.push_back(piece.substr(0, static_cast<std::size_t>(std::max(length, 0))));
      ends_.push_back(llama_vocab_is_eog(vocab, token));
    }
  }
  std::int32_t size() const override { return static_cast<std::int32_t>(pieces_.size()); }
  bool is_end_of_generation(TokenId token) const override {
    return ends_[static_cast<std::size_t>(token)];
  }
  std::string_view piece(TokenId token) const override {
    return pieces_[static_cast<std::size_t>(token)];
  }

 private:
  std::vector<std::string> pieces_;
  std::vector<bool> ends_;
};

template <typename Work>
double microseconds(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
      .count();
}

struct Costs {
  double first = 0, slowest = 0, cold = 0, warm = 0, theirs = 0;
  int steps = 0;
};

double llama_apply(llama_sampler* sampler, std::size_t size) {
  std::vector<llama_token_data> data;
  for (std::size_t i = 0; i < size; ++i) data.push_back({static_cast<llama_token>(i), 1.0f, 0});
  llama_token_data_array array{data.data(), data.size(), -1, false};
  return microseconds([&] { llama_sampler_apply(sampler, &array); });
}

Costs measure(const std::shared_ptr<const Vocab>& vocab, llama_sampler* theirs, GrammarCache& cache,
              const std::string& grammar) {
  Costs costs;
  std::mt19937_64 random(1);
  Constraint ours(cache.find(grammar));
  const auto size = static_cast<std::size_t>(vocab->size());
  std::vector<float> logits(size);
  for (; costs.steps < kSteps; ++costs.steps) {
    std::ranges::fill(logits, 1.0f);
    const double cold = microseconds([&] { ours.mask(logits); });
    if (costs.steps == 0) costs.first = cold;
    costs.slowest = std::max(costs.slowest, cold);
    costs.cold += cold;
    costs.warm += microseconds([&] { ours.mask(logits); });
    costs.theirs += llama_apply(theirs, size);
    std::vector<TokenId> open;
    for (std::size_t i = 0; i < size; ++i)
      if (!std::isinf(logits[i])) open.push_back(static_cast<TokenId>(i));
    if (open.empty()) break;
    const TokenId token = open[random() % open.size()];
    ours.accept(vocab->piece(token));
    llama_sampler_accept(theirs, token);
  }
  return costs;
}

void print(const char* name, const Costs& costs) {
  const double steps = std::max(costs.steps, 1);
  std::printf("%-40s %5d %9.0f %9.0f %9.0f %9.0f %9.0f\n", name, costs.steps, costs.first,
              costs.slowest, costs.cold / steps, costs.warm / steps, costs.theirs / steps);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return std::puts("grammar_bench vocabulary.gguf grammar.gbnf..."), 1;
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  const std::unique_ptr<llama_model, decltype(&llama_model_free)> model(
      llama_model_load_from_file(arguments[1], params), llama_model_free);
  if (model == nullptr) return std::puts("the vocabulary cannot be loaded"), 1;
  const llama_vocab* raw = llama_model_get_vocab(model.get());
  const auto vocab = std::make_shared<const FileVocab>(raw);
  GrammarCache cache(vocab);
  const double order = microseconds([&] { cache.find("root ::= \"a\""); });
  std::printf("%d tokens, put in order in %.0f us\n%-40s %5s %9s %9s %9s %9s %9s\n", vocab->size(),
              order, "grammar", "steps", "first", "slowest", "unseen", "seen", "llama.cpp");
  for (int i = 2; i < count; ++i) {
    std::stringstream text;
    text << std::ifstream(arguments[i]).rdbuf();
    const std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)> theirs(
        llama_sampler_init_grammar(raw, text.str().c_str(), "root"), llama_sampler_free);
    if (theirs != nullptr) print(arguments[i], measure(vocab, theirs.get(), cache, text.str()));
  }
  return 0;
}
