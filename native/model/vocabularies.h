// Vocabularies in which some control tokens have texts: an answer whose parts are separated by such
// tokens is parsed by their texts. Each comes with its grammars; the last few are cached, since a
// model's template always uses the same ones. One thread at a time; the results may be used on any
// thread.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/grammar/grammar_cache.h"
#include "model/llama_model.h"

namespace infernode {

class Vocabularies {
 public:
  struct Entry {
    std::vector<std::string> visible;
    std::shared_ptr<const Vocab> vocab;
    GrammarCache grammars;
  };

  explicit Vocabularies(std::shared_ptr<const LlamaModel> model) : model_(std::move(model)) {}

  // `visible`: texts of control tokens; a text that is no token is ignored. Valid until the next
  // call.
  Entry& find(const std::vector<std::string>& visible);
  // The vocabulary in which all control tokens have texts. Valid as long as this object.
  Entry& all_visible();

 private:
  std::shared_ptr<const Vocab> vocab_with(const std::vector<std::string>& visible) const;

  std::shared_ptr<const LlamaModel> model_;
  std::list<Entry> entries_;    // the latest first
  std::unique_ptr<Entry> all_;  // created on first use
};

}  // namespace infernode
