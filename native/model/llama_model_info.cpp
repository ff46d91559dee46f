#include "model/llama_model_info.h"

#include <algorithm>
#include <string_view>
#include <variant>

#include "llama.h"
#include "model/model_rules.h"

namespace infernode {

namespace {

// The labels of its classifier, if it names any.
std::vector<std::string> rank_labels_of(const GgufFile& file) {
  const std::string key = std::string(file.string("general.architecture"));
  const GgufValue* value = file.find(key + ".classifier.output_labels");
  const auto* array = value == nullptr ? nullptr : std::get_if<GgufArray>(&value->value);
  if (array == nullptr) return {};
  const std::vector<std::string_view> labels = file.strings(*array);
  return {labels.begin(), labels.end()};
}

std::string text_of(const char* text) { return text == nullptr ? "" : text; }

}  // namespace

ModelInfo describe_model(const llama_model& loaded, const GgufFile& file) {
  const llama_model* model = &loaded;
  const llama_vocab* vocab = llama_model_get_vocab(model);
  ModelInfo info;
  info.architecture = file.string("general.architecture");
  info.name = file.string("general.name");
  std::string description(128, '\0');
  const std::int32_t length = llama_model_desc(model, description.data(), description.size());
  description.resize(static_cast<std::size_t>(std::clamp<std::int32_t>(length, 0, 127)));
  info.description = description;
  info.vocabulary_size = llama_vocab_n_tokens(vocab);
  info.context_length = llama_model_n_ctx_train(model);
  info.embedding_length = llama_model_n_embd(model);
  info.layer_count = llama_model_n_layer(model);
  info.parameter_count = llama_model_n_params(model);
  info.size_bytes = llama_model_size(model);
  info.bos_token = llama_vocab_bos(vocab);
  info.eos_token = llama_vocab_eos(vocab);
  info.add_bos = llama_vocab_get_add_bos(vocab);
  const char* chat_template = llama_model_chat_template(model, nullptr);
  info.has_chat_template = chat_template != nullptr;
  info.chat_template = text_of(chat_template);
  info.recurrent = llama_model_is_recurrent(model);
  info.hybrid = llama_model_is_hybrid(model);
  info.sliding_window = llama_model_n_swa(model);
  info.rank_labels = rank_labels_of(file);
  return info;
}

void check_special_tokens(const llama_model& model, const GgufFile& file, const ModelInfo& info) {
  const llama_vocab* vocab = llama_model_get_vocab(&model);
  const bool word_piece = llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_WPM;
  const bool bos_missing = (info.add_bos || word_piece) && info.bos_token < 0;
  const bool eos_missing = llama_vocab_get_add_eos(vocab) && info.eos_token < 0;
  const bool sep_missing = word_piece && llama_vocab_sep(vocab) < 0;
  if (!bos_missing && !eos_missing && !sep_missing) return;
  refuse_model(file, std::string("its tokenizer adds a ") +
                         (bos_missing   ? "beginning"
                          : eos_missing ? "end"
                                        : "separator") +
                         " token that the vocabulary does not have");
}

}  // namespace infernode
