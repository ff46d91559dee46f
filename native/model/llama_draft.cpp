#include "model/llama_draft.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "core/drafting/speculation.h"
#include "llama.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

constexpr std::size_t kShownBytes = 40;

Error different(const std::string& sentence) {
  return {ErrorCode::kInvalidOption,
          "speculation.draftModel must have the vocabulary of the model it drafts for: " +
              sentence + ". Choose a smaller model of the same family."};
}

std::string shown(const char* text) { return '"' + printable(text, kShownBytes) + '"'; }

struct SpecialToken {
  const char* name;
  llama_token (*of)(const llama_vocab*);
};

constexpr std::array<SpecialToken, 4> kSpecialTokens = {{
    {"begin", llama_vocab_bos},
    {"end", llama_vocab_eos},
    {"end-of-turn", llama_vocab_eot},
    {"newline", llama_vocab_nl},
}};

void must_roll_back(const LlamaBackend& backend, const LlamaModel& model, const char* whose) {
  if (backend.limits().rolls_back) return;
  throw Error(ErrorCode::kInvalidOption,
              std::string(whose) + " must be a model that can roll back computed tokens, \"" +
                  model.info().architecture +
                  "\" keeps one state per sequence, which cannot be truncated. Choose a model of "
                  "attention layers only, or create the engine without speculation.");
}

}  // namespace

void check_same_vocabulary(const LlamaModel& model, const LlamaModel& draft) {
  const llama_vocab* own = llama_model_get_vocab(model.handle());
  const llama_vocab* other = llama_model_get_vocab(draft.handle());
  if (own == other) return;
  const std::int32_t size = llama_vocab_n_tokens(own);
  if (llama_vocab_n_tokens(other) != size) {
    throw different("that has " + std::to_string(size) + " tokens, the draft model " +
                    std::to_string(llama_vocab_n_tokens(other)));
  }
  for (const SpecialToken& special : kSpecialTokens) {
    if (special.of(own) == special.of(other)) continue;
    throw different(std::string("its ") + special.name + " token is " +
                    std::to_string(special.of(own)) + ", the draft model's " +
                    std::to_string(special.of(other)));
  }
  for (TokenId token = 0; token < size; ++token) {
    const char* text = llama_vocab_get_text(own, token);
    const char* another = llama_vocab_get_text(other, token);
    if (std::string_view(text) != another) {
      throw different("its token " + std::to_string(token) + " is " + shown(text) +
                      ", the draft model's " + shown(another));
    }
    if (llama_vocab_is_control(own, token) != llama_vocab_is_control(other, token) ||
        llama_vocab_is_eog(own, token) != llama_vocab_is_eog(other, token)) {
      throw different("token " + std::to_string(token) + ", " + shown(text) +
                      ", is a control or end token in one of them only");
    }
  }
}

ContextOptions draft_context(const LlamaModel& draft, const ContextOptions& engine) {
  ContextOptions options;
  options.slots = std::min(engine.slots, static_cast<std::int32_t>(kMostSpeculating));
  options.context_length = engine.context_length;
  const std::int32_t trained = draft.info().context_length;
  if (trained > 0) options.context_length = std::min(options.context_length, trained);
  options.prefill_chunk = engine.prefill_chunk;
  options.threads = engine.threads;
  // Not every head size can be quantized, and this cache is small.
  options.kv_type = is_quantized(engine.kv_type) ? KvType::kF16 : engine.kv_type;
  options.kv_offload = engine.kv_offload;
  options.flash_attention = engine.flash_attention;
  options.speculation = true;  // computes many rows of a sequence in one pass
  return options;
}

std::unique_ptr<LlamaBackend> make_draft(std::shared_ptr<const LlamaModel> draft,
                                         const LlamaBackend& engine, const LlamaModel& model,
                                         const ContextOptions& options) {
  must_roll_back(engine, model, "speculation");
  try {
    const LlamaModel& made = *draft;
    auto backend = std::make_unique<LlamaBackend>(std::move(draft), options, &engine);
    must_roll_back(*backend, made, "speculation.draftModel");
    return backend;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kOutOfMemory) throw;
    throw Error(error.code(), std::string("speculation.draftModel: ") + error.what());
  }
}

}  // namespace infernode
