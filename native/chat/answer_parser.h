// Parses an answer's text into reasoning, content and tool calls with llama-common's parsers, each
// created with the prompt it belongs to. Throws std::exception if a complete text does not match
// its format. Part of infernode-chat, one thread.
#pragma once

#include <list>
#include <string>
#include <utility>

#include "chat.h"
#include "json.h"

namespace infernode::chat {

class AnswerParser {
 public:
  // {content, reasoning, toolCalls} of a complete text, or of its beginning if `partial`; in that
  // case "open" is the part that the next character belongs to, if that is certain: "content",
  // "reasoning" or "".
  common_json parse(const common_json& request);

 private:
  common_json parse_beginning(const common_peg_arena& arena, const std::string& text,
                              const common_chat_parser_params& params);
  const common_peg_arena& arena_of(const std::string& saved);

  std::list<std::pair<std::string, common_peg_arena>> kept_;  // keyed by their serialized form
};

}  // namespace infernode::chat
