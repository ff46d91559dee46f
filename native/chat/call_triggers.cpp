#include "call_triggers.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "chat-peg-parser.h"

namespace infernode::chat {

namespace {

using Id = common_peg_parser_id;

// The rule of llama-common's parser that a lazy grammar begins with; null if there is none.
const common_peg_rule_parser* trigger_rule(const common_peg_arena& format) {
  for (Id id = 0; id < format.size(); ++id) {
    const auto* rule = std::get_if<common_peg_rule_parser>(&format.get(id));
    if (rule != nullptr && rule->trigger) return rule;
  }
  return nullptr;
}

// How a call may begin, up to the end of its tool's name. JSON like {"name": "Ann"} is a common
// answer to a question, so that nothing shorter tells a call from it.
class CallBeginnings {
 public:
  explicit CallBeginnings(const common_peg_arena& format) : format_(format) {}

  std::vector<CallTrigger> of(Id id) const {
    std::vector<CallTrigger> triggers;
    for (const Beginning& each : after({}, id))
      if (each.reach != Reach::kBeforeName) triggers.push_back({each.text, each.text});
    return triggers;
  }

 private:
  // A literal directly after the name closes its quotes.
  enum class Reach { kBeforeName, kName, kBehindName };
  struct Beginning {
    std::string text;
    Reach reach = Reach::kBeforeName;
  };
  using Beginnings = std::vector<Beginning>;

  Beginnings after(const Beginning& before, Id id) const {
    if (before.reach == Reach::kBehindName) return {before};
    return std::visit([&](const auto& part) { return after_part(before, part); }, format_.get(id));
  }

  static Beginnings after_part(Beginning before, const common_peg_literal_parser& part) {
    before.text += part.literal;
    if (before.reach == Reach::kName) before.reach = Reach::kBehindName;
    return {before};
  }

  static Beginnings after_part(Beginning before, const common_peg_space_parser&) {
    if (before.reach == Reach::kName) before.reach = Reach::kBehindName;
    if (before.reach == Reach::kBeforeName && !before.text.empty()) before.text += ' ';
    return {before};
  }

  Beginnings after_part(const Beginning& before, const common_peg_sequence_parser& part) const {
    Beginnings all = {before};
    for (const Id child : part.children) {
      Beginnings longer;
      for (const Beginning& each : all)
        for (Beginning& next : after(each, child)) longer.push_back(std::move(next));
      all = std::move(longer);
    }
    return all;
  }

  Beginnings after_part(const Beginning& before, const common_peg_choice_parser& part) const {
    Beginnings all;
    for (const Id child : part.children)
      for (Beginning& next : after(before, child)) all.push_back(std::move(next));
    return all;
  }

  Beginnings after_part(const Beginning& before, const common_peg_repetition_parser& part) const {
    Beginnings all = after(before, part.child);
    if (part.min_count == 0) all.push_back(before);
    return all;
  }

  Beginnings after_part(const Beginning& before, const common_peg_tag_parser& part) const {
    Beginnings all = after(before, part.child);
    if (part.tag == common_chat_peg_builder::TOOL_NAME)
      for (Beginning& each : all) each.reach = Reach::kName;
    return all;
  }

  Beginnings after_part(const Beginning& before, const common_peg_rule_parser& part) const {
    return after(before, part.child);
  }

  Beginnings after_part(const Beginning& before, const common_peg_ref_parser& part) const {
    return after(before, format_.get_rule(part.name));
  }

  Beginnings after_part(const Beginning& before, const common_peg_atomic_parser& part) const {
    return after(before, part.child);
  }

  static Beginnings after_part(const Beginning& before, const common_peg_epsilon_parser&) {
    return {before};
  }

  // Text that is not fixed, such as a call's id: no word begins so.
  template <typename Part>
  static Beginnings after_part(const Beginning& before, const Part&) {
    return before.reach == Reach::kName ? Beginnings{{before.text, Reach::kBehindName}}
                                        : Beginnings{};
  }

  const common_peg_arena& format_;
};

std::vector<CallTrigger> unmarked(const std::string& saved) {
  common_peg_arena format;
  format.load(saved);
  const common_peg_rule_parser* rule = trigger_rule(format);
  if (rule == nullptr) return {};
  return CallBeginnings(format).of(rule->child);
}

// Stands for llama-common's regular expressions, each of which belongs to one format.
std::vector<CallTrigger> matched(const std::string& pattern,
                                 const std::vector<common_chat_tool>& tools) {
  if (pattern == ">>>(?!all)") {  // functionary v3.2, whose prompt ends with the mark
    std::vector<CallTrigger> triggers;
    for (const common_chat_tool& tool : tools)
      triggers.push_back({">>>" + tool.name + "\n", tool.name + "\n"});
    return triggers;
  }
  // gpt-oss names a call's tool beside the speaker or beside the channel.
  if (pattern == R"(<\|start\|>assistant(\s+to))")
    return {{"<|start|>assistant to=functions.", " to=functions."}};
  if (pattern == R"(<\|start\|>assistant(<\|channel\|>(?:commentary|analysis)\s+to))") {
    std::vector<CallTrigger> triggers;
    for (const char* channel : {"commentary", "analysis"}) {
      const std::string head = "<|channel|>" + std::string(channel) + " to=functions.";
      triggers.push_back({head, head});
    }
    return triggers;
  }
  // Muse Glimmer's calls name a recipient, which the grammar leaves open.
  if (pattern.starts_with(R"((?:^|<\|start\|>assistant)( to=(?!self)"))
    return {{"<|message|><atem:function_calls>", " to=tool<|message|><atem:function_calls>"}};
  return {};
}

}  // namespace

void bind_unmarked_calls(common_chat_params& params, const common_chat_params& required) {
  if (required.parser.empty()) return;
  common_peg_arena format;
  format.load(required.parser);
  const common_peg_rule_parser* rule = trigger_rule(format);
  // llama-common writes each rule on a line of its own.
  const std::string head = "root ::= ";
  const std::size_t root = ("\n" + required.grammar).find("\n" + head);
  if (rule == nullptr || root == std::string::npos) return;
  const std::size_t end = std::min(required.grammar.find('\n', root), required.grammar.size());
  params.grammar = required.grammar;
  params.grammar.replace(root, end - root, head + rule->name);
  params.grammar_lazy = true;
}

std::vector<CallTrigger> call_triggers(const common_chat_params& params,
                                       const std::vector<common_chat_tool>& tools) {
  if (params.grammar_triggers.empty()) return unmarked(params.parser);
  std::vector<CallTrigger> triggers;
  for (const common_grammar_trigger& trigger : params.grammar_triggers) {
    if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD) {
      triggers.push_back({trigger.value, trigger.value});
    } else {
      for (CallTrigger& each : matched(trigger.value, tools)) triggers.push_back(std::move(each));
    }
  }
  return triggers;
}

}  // namespace infernode::chat
