// Converts DRY's sequence breakers from text to tokens: every way in which the vocabulary's tokens
// can spell the text, including where it begins inside a token. Scans the whole vocabulary once per
// list of texts and caches the last few lists, since most requests use the same one. One thread at
// a time.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/sampling/dry_penalty.h"
#include "model/llama_model.h"

namespace infernode {

class DryBreakerLists {
 public:
  std::shared_ptr<const DryBreakers> find(const LlamaModel& model,
                                          const std::vector<std::string>& texts);

 private:
  using Entry = std::pair<std::vector<std::string>, std::shared_ptr<const DryBreakers>>;
  std::deque<Entry> entries_;  // the latest first
};

}  // namespace infernode
