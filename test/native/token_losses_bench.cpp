// The loss (negative log likelihood, nats) of each token of a text under a GGUF model, as
// llama.cpp computes it with the libraries of this build: what tools/checkpoints/quality.mjs
// compares packed checkpoints by. The text is cut into windows of 256 tokens that know nothing
// of each other; a window's first token is not scored. Prints a line per window.
//   token_losses_bench MODEL.gguf TEXT.txt TOKENS [FIRST TOKEN]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "llama.h"
#include "model/llama_runtime.h"

namespace {

constexpr std::size_t kWindow = 256;

struct ModelCloser {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
struct ContextCloser {
  void operator()(llama_context* context) const { llama_free(context); }
};
using Model = std::unique_ptr<llama_model, ModelCloser>;
using Context = std::unique_ptr<llama_context, ContextCloser>;

[[noreturn]] void give_up(const std::string& sentence) {
  std::fprintf(stderr, "token_losses_bench: %s\n", sentence.c_str());
  std::exit(1);
}

std::string text_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) give_up(std::string(path) + " cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<llama_token> tokens_of(const llama_model& model, const std::string& text) {
  const llama_vocab* vocab = llama_model_get_vocab(&model);
  std::vector<llama_token> tokens(text.size() + 1);
  const std::int32_t count = llama_tokenize(
      vocab, text.data(), static_cast<std::int32_t>(text.size()), tokens.data(),
      static_cast<std::int32_t>(tokens.size()), /*add_special=*/false, /*parse_special=*/true);
  if (count < 0) give_up("the text cannot be tokenized");
  tokens.resize(static_cast<std::size_t>(count));
  return tokens;
}

double loss_of(const float* logits, std::size_t count, llama_token token) {
  const float largest = *std::max_element(logits, logits + count);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(logits[i] - largest));
  return std::log(sum) + largest - logits[token];
}

void print_losses(llama_context& context, std::size_t vocabulary,
                  const std::vector<llama_token>& window) {
  llama_batch batch = llama_batch_init(static_cast<std::int32_t>(window.size()), 0, 1);
  batch.n_tokens = static_cast<std::int32_t>(window.size());
  for (std::size_t i = 0; i < window.size(); ++i) {
    batch.token[i] = window[i];
    batch.pos[i] = static_cast<llama_pos>(i);
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = i + 1 < window.size() ? 1 : 0;
  }
  llama_memory_clear(llama_get_memory(&context), true);
  if (llama_decode(&context, batch) != 0) give_up("a window could not be computed");
  for (std::size_t i = 0; i + 1 < window.size(); ++i) {
    const float* logits = llama_get_logits_ith(&context, static_cast<std::int32_t>(i));
    std::printf(i == 0 ? "%.6f" : " %.6f", loss_of(logits, vocabulary, window[i + 1]));
  }
  std::printf("\n");
  llama_batch_free(batch);
}

Context context_of(llama_model& model) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = kWindow;
  params.n_threads = params.n_threads_batch =
      static_cast<std::int32_t>(std::max(1U, std::thread::hardware_concurrency()));
  Context context(llama_init_from_model(&model, params));
  if (context == nullptr) give_up("no context could be made");
  return context;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4 && count != 5) give_up("expected MODEL.gguf TEXT.txt TOKENS [FIRST TOKEN]");
  infernode::start_llama_runtime(INFERNODE_BENCH_BACKENDS);
  const Model model(llama_model_load_from_file(arguments[1], llama_model_default_params()));
  if (model == nullptr) give_up(std::string(arguments[1]) + " could not be loaded");
  const llama_vocab* vocab = llama_model_get_vocab(model.get());
  const auto vocabulary = static_cast<std::size_t>(llama_vocab_n_tokens(vocab));
  std::vector<llama_token> tokens = tokens_of(*model, text_of(arguments[2]));
  const std::size_t first = count == 5 ? std::strtoul(arguments[4], nullptr, 10) : 0;
  const std::size_t wanted = first + std::strtoul(arguments[3], nullptr, 10);
  if (tokens.size() < wanted)
    give_up("the text has " + std::to_string(tokens.size()) + " tokens only");
  const Context context = context_of(*model);
  const bool begins = llama_vocab_get_add_bos(vocab);
  const std::size_t each = kWindow - (begins ? 1 : 0);
  for (std::size_t at = first; at + each <= tokens.size() && at < wanted; at += each) {
    std::vector<llama_token> window;
    if (begins) window.push_back(llama_vocab_bos(vocab));
    window.insert(window.end(), tokens.begin() + static_cast<std::ptrdiff_t>(at),
                  tokens.begin() + static_cast<std::ptrdiff_t>(at + each));
    print_losses(*context, vocabulary, window);
  }
}
