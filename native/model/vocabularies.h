// Vocabularies in which some control tokens have texts: an answer whose parts are
// told apart by such tokens is read by their texts. Each with its grammars; the
// last few are remembered, since a model's template names the same ones always.
// One thread at a time; what it hands out may be used on any.
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

  // `visible`: texts of control tokens; one that is no token changes nothing.
  // Valid until the next call.
  Entry& find(const std::vector<std::string>& visible);
  // The one in which all of them have. Valid as long as this.
  Entry& all_visible();

 private:
  std::shared_ptr<const Vocab> vocab_with(const std::vector<std::string>& visible) const;

  std::shared_ptr<const LlamaModel> model_;
  std::list<Entry> entries_;    // the latest first
  std::unique_ptr<Entry> all_;  // made when it is first wanted
};

}  // namespace infernode
