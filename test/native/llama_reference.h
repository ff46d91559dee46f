// What llama.cpp itself computes: one context of one sequence per prompt, with
// the parameters and the calls of its examples/simple (the whole prompt in one
// batch, then token by token), straight from llama.h. Shares the weights with
// our own code and nothing else.
#pragma once

#include <memory>
#include <stdexcept>
#include <vector>

#include "llama.h"

namespace infernode {

struct ReferenceOptions {
  bool flash_attention = true;  // false: refused; true: llama.cpp decides, as by default
};

class LlamaReference {
 public:
  // `model` outlives the reference.
  LlamaReference(llama_model* model, ReferenceOptions options) : model_(model), options_(options) {}

  // The logits after the prompt and after each of `forced` but the last, as
  // though the reference had chosen those tokens itself.
  std::vector<std::vector<float>> logits(std::vector<llama_token> prompt,
                                         std::vector<llama_token> forced) const {
    const Context context = make_context(prompt.size(), forced.size());
    decode(context, prompt);
    std::vector<std::vector<float>> rows{last_row(context)};
    for (std::size_t index = 0; index + 1 < forced.size(); ++index) {
      std::vector<llama_token> one{forced[index]};
      decode(context, one);
      rows.push_back(last_row(context));
    }
    return rows;
  }

 private:
  using Context = std::unique_ptr<llama_context, void (*)(llama_context*)>;

  Context make_context(std::size_t prompt, std::size_t generated) const {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<std::uint32_t>(prompt + generated - 1);
    params.n_batch = static_cast<std::uint32_t>(prompt);
    // Not simple's four: more threads than cores wait for each other.
    params.n_threads = params.n_threads_batch = 1;
    if (!options_.flash_attention) params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    Context context(llama_init_from_model(model_, params), llama_free);
    if (context == nullptr) throw std::runtime_error("the reference has no context");
    return context;
  }

  static void decode(const Context& context, std::vector<llama_token>& tokens) {
    const auto count = static_cast<std::int32_t>(tokens.size());
    if (llama_decode(context.get(), llama_batch_get_one(tokens.data(), count)) != 0)
      throw std::runtime_error("the reference does not compute");
  }

  std::vector<float> last_row(const Context& context) const {
    const std::int32_t width = llama_vocab_n_tokens(llama_model_get_vocab(model_));
    const float* row = llama_get_logits_ith(context.get(), -1);
    return {row, row + width};
  }

  llama_model* model_;
  ReferenceOptions options_;
};

}  // namespace infernode
