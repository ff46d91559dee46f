// The likeliest first tokens after prompts and their log probabilities, as llama.cpp itself
// computes them: its library with the CPU kernels of bin/unmodified, which our routines do not
// replace. tools/checkpoints/llama_distance.py compares them with an F32 computation.
// Prints a line per prompt: id, log probability, id, log probability, ...
//   first_tokens_bench MODEL.gguf PROMPTS.json [BACKENDS [no-flash-attention]]
// PROMPTS: lists of token ids. BACKENDS: another folder; bin itself is as good where the processor
// has none of our routines for the model (native/cpu/measured_sets.h). no-flash-attention: the
// other of llama.cpp's two ways, which rounds elsewhere: how far apart two equals are.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "llama.h"
#include "model/llama_runtime.h"

namespace {

constexpr std::size_t kTold = 20;
constexpr std::uint32_t kContext = 4096;

struct ModelCloser {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
struct ContextCloser {
  void operator()(llama_context* context) const { llama_free(context); }
};
using Model = std::unique_ptr<llama_model, ModelCloser>;
using Context = std::unique_ptr<llama_context, ContextCloser>;
using Prompts = std::vector<std::vector<llama_token>>;

[[noreturn]] void give_up(const std::string& sentence) {
  std::fprintf(stderr, "first_tokens_bench: %s\n", sentence.c_str());
  std::exit(1);
}

[[nodiscard]] Prompts prompts_of(const char* path) {
  std::ifstream file(path);
  if (!file) give_up(std::string(path) + " cannot be read");
  return nlohmann::json::parse(file).get<Prompts>();
}

// One thread and llama-server's other defaults: batches of 2,048, computed 512 at a time.
[[nodiscard]] Context context_of(llama_model& model, bool flash_attention) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = kContext;
  if (!flash_attention) params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.n_threads = params.n_threads_batch = 1;
  Context context(llama_init_from_model(&model, params));
  if (context == nullptr) give_up("no context could be made");
  return context;
}

void print_likeliest(const float* logits, std::size_t count) {
  const float largest = *std::max_element(logits, logits + count);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(logits[i] - largest));
  const double total = std::log(sum) + largest;
  std::vector<std::size_t> ids(count);
  std::iota(ids.begin(), ids.end(), std::size_t{0});
  std::partial_sort(ids.begin(), ids.begin() + kTold, ids.end(),
                    [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  for (std::size_t i = 0; i < kTold; ++i)
    std::printf("%s%zu %.6f", i == 0 ? "" : " ", ids[i], logits[ids[i]] - total);
  std::printf("\n");
}

}  // namespace

int main(int count, char** arguments) {
  const bool plain = count == 5 && std::strcmp(arguments[4], "no-flash-attention") == 0;
  if (count < 3 || count > 5 || (count == 5 && !plain))
    give_up("expected MODEL.gguf PROMPTS.json [BACKENDS [no-flash-attention]]");
  Prompts prompts = prompts_of(arguments[2]);
  infernode::start_llama_runtime(count >= 4 ? arguments[3]
                                            : INFERNODE_BENCH_BACKENDS "/unmodified");
  const Model model(llama_model_load_from_file(arguments[1], llama_model_default_params()));
  if (model == nullptr) give_up(std::string(arguments[1]) + " could not be loaded");
  const auto vocabulary =
      static_cast<std::size_t>(llama_vocab_n_tokens(llama_model_get_vocab(model.get())));
  if (vocabulary < kTold) give_up("the vocabulary is too small");
  const Context context = context_of(*model, !plain);
  for (std::vector<llama_token>& prompt : prompts) {
    llama_memory_clear(llama_get_memory(context.get()), true);
    const auto length = static_cast<std::int32_t>(prompt.size());
    if (llama_decode(context.get(), llama_batch_get_one(prompt.data(), length)) != 0)
      give_up("a prompt of " + std::to_string(length) + " tokens could not be computed");
    print_likeliest(llama_get_logits_ith(context.get(), -1), vocabulary);
    std::fflush(stdout);
  }
}
