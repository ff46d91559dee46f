// An answer's text taken apart: what was thought, what is said, which tools are
// called. llama-common's parsers, each made with the prompt it belongs to. Throws
// std::exception where a whole text is not of its format. Part of infernode-chat,
// one thread.
#pragma once

#include <list>
#include <string>
#include <utility>

#include "chat.h"
#include "json.h"

namespace infernode::chat {

class AnswerParser {
 public:
  // {content, reasoning, toolCalls} of a whole text; of a beginning, where
  // `partial`, with the part that the next character belongs to under "open", if
  // that is sure: "content", "reasoning" or "".
  common_json parse(const common_json& request);

 private:
  common_json parse_beginning(const common_peg_arena& arena, const std::string& text,
                              const common_chat_parser_params& params);
  const common_peg_arena& arena_of(const std::string& saved);

  std::list<std::pair<std::string, common_peg_arena>> kept_;  // by their saved form
};

}  // namespace infernode::chat
