#include "generic_calls.h"

#include <map>
#include <string>
#include <utility>

#include "chat-peg-parser.h"
#include "json-schema-to-grammar.h"

namespace infernode::chat {

namespace {

// The tags that most models with tools were trained on: some models know them although
// their template does not.
const std::string kCallStart = "<tool_call>";
const std::string kCallEnd = "</tool_call>";

std::string description_of(const common_json& tools, bool several_calls) {
  std::string text =
      "# Tools\n\nThese functions can be called, each described by a line of JSON:\n<tools>\n";
  for (const common_json& tool : tools) text += tool.dump() + "\n";
  text +=
      "</tools>\n\nTo call a function, end the answer with its name and its arguments as JSON, "
      "in this form:\n<tool_call>\n{\"name\": \"name of the function\", \"arguments\": "
      "{\"name of an argument\": \"its value\"}}\n</tool_call>\n";
  text += several_calls ? "To call several functions, write one such block after another. "
                        : "Call one function at a time. ";
  return text +
         "The results follow in the next message, between <tool_response> and </tool_response>. "
         "Where no function is of use, answer in words.";
}

std::string told(const common_chat_tool_call& call) {
  const bool is_json = !common_json::parse_no_throw(call.arguments).is_discarded();
  return kCallStart + "\n{\"name\": " + common_json(call.name).dump() +
         ", \"arguments\": " + (is_json ? call.arguments : common_json(call.arguments).dump()) +
         "}\n" + kCallEnd;
}

void append_line(std::string& text, const std::string& line) {
  if (!text.empty()) text += '\n';
  text += line;
}

class CallTeller {
 public:
  void add(Turn turn) {
    common_chat_msg& message = turn.message;
    if (message.role == "tool") return add_result(turn);
    if (!message.tool_calls.empty()) tell_calls(message);
    const bool joins = in_results_ && message.role == "user";
    in_results_ = false;
    if (!joins) return turns_.push_back(std::move(turn));
    append_line(turns_.back().message.content, message.render_content());
  }

  // Many templates refuse two system messages.
  void describe(const std::string& tools) {
    if (turns_.empty() || !is_system(turns_.front().message)) {
      Turn system;
      system.message.role = "system";
      turns_.insert(turns_.begin(), std::move(system));
    }
    common_chat_msg& system = turns_.front().message;
    const std::string said = system.render_content();
    system.content = said.empty() ? tools : said + "\n\n" + tools;
    system.content_parts.clear();
  }

  std::vector<Turn> turns() { return std::move(turns_); }

 private:
  void tell_calls(common_chat_msg& message) {
    std::string text = message.render_content();
    names_.clear();
    for (const common_chat_tool_call& call : message.tool_calls) {
      append_line(text, told(call));
      names_[call.id] = call.name;
    }
    several_ = message.tool_calls.size() > 1;
    message.content = std::move(text);
    message.content_parts.clear();
    message.tool_calls.clear();
  }

  // Results are one message of the user's: many templates refuse two in a row.
  void add_result(const Turn& turn) {
    const common_chat_msg& given = turn.message;
    const auto called = names_.find(given.tool_call_id);
    const std::string& name = called == names_.end() ? given.tool_name : called->second;
    const std::string whose =
        several_ && !name.empty() ? " name=" + common_json(name).dump() : std::string();
    if (!in_results_) {
      Turn results;
      results.message.role = "user";
      results.place = turn.place;
      turns_.push_back(std::move(results));
      in_results_ = true;
    }
    append_line(turns_.back().message.content,
                "<tool_response" + whose + ">\n" + given.render_content() + "\n</tool_response>");
  }

  std::vector<Turn> turns_;
  std::map<std::string, std::string> names_;  // of the last calls, by their ids
  bool several_ = false;                      // of them: results say whose they are
  bool in_results_ = false;
};

// The thought that `params` found in the template, or nothing.
common_peg_parser thought_of(common_chat_peg_builder& p, const common_chat_params& params,
                             bool apart) {
  if (!apart || params.thinking_end_tags.empty()) return p.eps();
  const std::string& end = params.thinking_end_tags.front();
  auto thought = p.reasoning(p.until(end)) + p.literal(end) + p.space();
  const std::string& start = params.thinking_start_tag;
  return p.optional(start.empty() ? thought : p.literal(start) + p.space() + thought);
}

common_peg_arena parser_of(const common_chat_params& params,
                           const common_chat_templates_inputs& inputs) {
  const bool required = inputs.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED;
  const bool apart = inputs.reasoning_format != COMMON_REASONING_FORMAT_NONE;
  return build_chat_peg_parser([&](common_chat_peg_builder& p) {
    const auto tools = common_chat_tools_to_json_oaicompat(inputs.tools);
    auto calls = p.standard_json_tools(kCallStart, kCallEnd, tools, false, true) + p.space();
    if (inputs.parallel_tool_calls) calls = p.trigger_rule("tool-calls", p.one_or_more(calls));
    return (p.prefix(params.generation_prompt, params.thinking_start_tag)
            << thought_of(p, params, apart)) +
           p.optional(p.content(p.until(kCallStart))) + (required ? calls : p.optional(calls)) +
           p.end();
  });
}

}  // namespace

std::vector<Turn> with_told_calls(const std::vector<Turn>& turns, const common_json& tools,
                                  bool several_calls) {
  CallTeller teller;
  for (const Turn& turn : turns) teller.add(turn);
  if (!tools.empty()) teller.describe(description_of(tools, several_calls));
  return teller.turns();
}

common_chat_params apply_generic(const common_chat_templates* templates,
                                 const common_chat_templates_inputs& inputs) {
  common_chat_templates_inputs shown = inputs;
  shown.tools.clear();
  shown.tool_choice = COMMON_CHAT_TOOL_CHOICE_NONE;
  common_chat_params params = common_chat_templates_apply(templates, shown);
  if (inputs.tools.empty() || inputs.tool_choice == COMMON_CHAT_TOOL_CHOICE_NONE) return params;
  const common_peg_arena parser = parser_of(params, inputs);
  params.format = COMMON_CHAT_FORMAT_PEG_NATIVE;
  params.parser = parser.save();
  params.grammar_lazy = inputs.tool_choice != COMMON_CHAT_TOOL_CHOICE_REQUIRED;
  params.grammar = build_grammar([&](const common_grammar_builder& builder) {
    parser.build_grammar(builder, params.grammar_lazy);
  });
  params.grammar_triggers = {{COMMON_GRAMMAR_TRIGGER_TYPE_WORD, kCallStart}};
  params.preserved_tokens.push_back(kCallStart);
  params.preserved_tokens.push_back(kCallEnd);
  return params;
}

}  // namespace infernode::chat
