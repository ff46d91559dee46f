// Which tokens begin and end texts, from tokenizer_config.json, special_tokens_map.json,
// tokenizer.json's post-processor, config.json and generation_config.json, in this order.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/vocabulary.h"

namespace infernode {

struct SpecialTokens {
  std::optional<std::uint32_t> bos;
  std::optional<std::uint32_t> eos;
  std::optional<std::uint32_t> unknown;
  std::optional<std::uint32_t> padding;
  bool add_bos = false;
  bool add_eos = false;
  std::vector<std::uint32_t> ends;  // each of them ends a generation; the first is eos
};

// `tokenizer`: tokenizer.json, if it exists. Throws Error(kModelCorrupt); messages name the file
// and the key.
SpecialTokens read_special_tokens(const CheckpointFolder& folder, const Json* tokenizer,
                                  const Vocabulary& vocabulary);

}  // namespace infernode
