#include "answer_parser.h"

#include <algorithm>
#include <exception>
#include <string_view>

namespace infernode::chat {

namespace {

constexpr std::size_t kArenasKept = 8;

// A character that occurs in no text, begins no marker, and is allowed in strings.
constexpr std::string_view kProbe = "\xEE\x80\x80";  // U+E000

common_json to_json(const common_chat_msg& message, const char* open) {
  common_json calls = common_json::array();
  for (const common_chat_tool_call& call : message.tool_calls) {
    calls.push_back(
        common_json::object({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}}));
  }
  return common_json::object({{"content", message.content},
                              {"reasoning", message.reasoning_content},
                              {"toolCalls", calls},
                              {"open", open}});
}

bool take_probe(std::string& part) {
  if (!part.ends_with(kProbe)) return false;
  part.resize(part.size() - kProbe.size());
  return true;
}

}  // namespace

common_json AnswerParser::parse(const common_json& request) {
  common_chat_parser_params params;
  params.format = static_cast<common_chat_format>(request.at("format").get<int>());
  params.generation_prompt = request.at("generationPrompt");
  params.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
  const common_peg_arena& arena = arena_of(request.at("parser"));
  const std::string text = request.at("text");
  if (request.at("partial").get<bool>()) return parse_beginning(arena, text, params);
  return to_json(common_chat_peg_parse(arena, text, false, params), "");
}

// The probe stands for the next character: the part that ends with it is the open one.
common_json AnswerParser::parse_beginning(const common_peg_arena& arena, const std::string& text,
                                          const common_chat_parser_params& params) {
  try {
    common_chat_msg probed = common_chat_peg_parse(arena, text + std::string(kProbe), true, params);
    if (probed.tool_calls.empty()) {
      if (take_probe(probed.content)) return to_json(probed, "content");
      if (take_probe(probed.reasoning_content)) return to_json(probed, "reasoning");
    }
  } catch (const std::exception&) {
    // Only text prescribed by the format may stand here.
  }
  return to_json(common_chat_peg_parse(arena, text, true, params), "");
}

const common_peg_arena& AnswerParser::arena_of(const std::string& saved) {
  const auto found = std::find_if(kept_.begin(), kept_.end(),
                                  [&](const auto& entry) { return entry.first == saved; });
  if (found == kept_.end()) {
    kept_.emplace_front(saved, common_peg_arena());
    kept_.front().second.load(saved);
    if (kept_.size() > kArenasKept) kept_.pop_back();
  } else {
    kept_.splice(kept_.begin(), kept_, found);
  }
  return kept_.front().second;
}

}  // namespace infernode::chat
