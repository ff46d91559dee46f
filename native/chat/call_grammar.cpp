#include "call_grammar.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <variant>

#include "chat-peg-parser.h"
#include "json-schema-to-grammar.h"

namespace infernode::chat {

namespace {

using Builder = common_chat_peg_builder;
using Id = common_peg_parser_id;

constexpr std::string_view kNothing = R"("")";
constexpr std::string_view kImpossible = "[]";
constexpr std::string_view kShort = R"([^<>\[\]{}\n]{0,64})";  // a part of a call's head

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// The position of a part in the format.
struct Place {
  bool introduced = false;  // preceded by literals that exist for this part only
  bool optional = false;    // the answer may omit it
  bool in_head = false;     // before a call's arguments
  std::string rule = {};    // the grammar rule that this part becomes
};

// llama-common writes its parser as a grammar in which a named part is a rule of that name, and
// text up to a delimiter is a rule named by the part's number. So the parts to exclude are found in
// the parser, and their rules are replaced in the grammar.
class CallGrammar {
 public:
  explicit CallGrammar(const common_chat_params& params) {
    const std::string& start = params.thinking_start_tag;
    begun_ = !start.empty() && params.generation_prompt.find(start) != std::string::npos;
    format_.load(params.parser);
    visit(format_.root(), {});
  }

  std::string rewrite(const std::string& grammar) {
    std::string rewritten;
    for (std::size_t begin = 0; begin < grammar.size();) {
      const std::size_t end = std::min(grammar.find('\n', begin), grammar.size());
      std::string line = grammar.substr(begin, end - begin);
      const auto rule = rules_.find(line.substr(0, line.find(" ::= ")));
      if (rule != rules_.end()) {
        line = rule->first + " ::= " + rule->second;
        rules_.erase(rule);
      }
      if (line.starts_with("tool-")) replace_each(line, repetitions_);
      replace_each(line, endings_);
      rewritten += line + '\n';
      begin = end + 1;
    }
    if (!rules_.empty()) fail();
    return rewritten;
  }

 private:
  [[noreturn]] static void fail() {
    throw std::invalid_argument(
        R"(the form in which it would write a required call is not known; send toolChoice "auto" or "none")");
  }

  static void replace_each(std::string& line, const std::map<std::string, std::string>& phrases) {
    for (const auto& [from, to] : phrases) replace_all(line, from, to);
  }

  void visit(Id id, const Place& place) {
    std::visit([&](const auto& part) { visit_part(id, part, place); }, format_.get(id));
  }

  void visit_part(Id id, const common_peg_sequence_parser& sequence, Place place) {
    close_thoughts(sequence);
    for (const Id child : sequence.children) {
      visit(child, place);
      // The literals of the root are part of the prompt.
      if (id != format_.root() &&
          std::holds_alternative<common_peg_literal_parser>(format_.get(child)))
        place.introduced = true;
    }
  }

  // For the parser, reasoning whose end marker is optional continues over the call.
  void close_thoughts(const common_peg_sequence_parser& sequence) {
    for (std::size_t i = 0; i + 1 < sequence.children.size(); ++i) {
      const auto* part = std::get_if<common_peg_tag_parser>(&format_.get(sequence.children[i]));
      const auto* end =
          std::get_if<common_peg_repetition_parser>(&format_.get(sequence.children[i + 1]));
      if (part == nullptr || part->tag != Builder::REASONING || end == nullptr) continue;
      if (const auto* word = std::get_if<common_peg_literal_parser>(&format_.get(end->child))) {
        const std::string closed =
            "until-" + std::to_string(part->child) + " " + gbnf_format_literal(word->literal);
        endings_.emplace(closed + "?", closed);
      }
    }
  }

  void visit_part(Id, const common_peg_choice_parser& choice, Place place) {
    place.optional = place.optional || choice.children.size() > 1;
    for (const Id child : choice.children) visit(child, place);
  }

  void visit_part(Id, const common_peg_repetition_parser& repetition, Place place) {
    place.optional = place.optional || repetition.min_count == 0;
    visit(repetition.child, place);
  }

  void visit_part(Id, const common_peg_rule_parser& rule, Place place) {
    if (!visited_.insert(rule.name).second) return;
    place.rule = rule.name;
    visit(rule.child, place);
  }

  void visit_part(Id, const common_peg_atomic_parser& atomic, const Place& place) {
    visit(atomic.child, place);
  }

  void visit_part(Id id, const common_peg_ac_parser& text, Place place) {
    place.rule = "ac-" + std::to_string(id);
    visit(text.child, place);
  }

  void visit_part(Id, const common_peg_tag_parser& part, Place place) {
    const bool thought = part.tag == Builder::REASONING;
    if (part.tag == Builder::CONTENT || (thought && !begun_)) return silence(part.child, place);
    if (part.tag == Builder::TOOL_ARGS) return;
    place.in_head = place.in_head || part.tag == Builder::TOOL_OPEN || part.tag == Builder::TOOL_ID;
    visit(part.child, place);
  }

  void visit_part(Id id, const common_peg_until_parser&, const Place& place) {
    if (place.in_head) rules_.emplace("until-" + std::to_string(id), kShort);
  }

  void visit_part(Id, const common_peg_chars_parser& characters, const Place& place) {
    if (!place.in_head || characters.max_count >= 0 || characters.min_count > 1) return;
    const std::string least = std::to_string(characters.min_count);
    repetitions_.emplace(characters.pattern + (characters.min_count == 0 ? "*" : "+"),
                         characters.pattern + "{" + least + ",64}");
  }

  // Parts that contain no part of an answer, or that are not in the grammar.
  template <typename Part>
  void visit_part(Id, const Part&, const Place&) {}

  // A part with literals of its own is removed with them; any other becomes empty.
  void silence(Id id, const Place& place) {
    const auto* text = std::get_if<common_peg_until_parser>(&format_.get(id));
    const bool alone =
        text != nullptr && !text->delimiters.empty() && !place.rule.starts_with("ac-");
    if (place.introduced && place.optional) {
      rules_[alone ? "until-" + std::to_string(id) : place.rule] = kImpossible;
    } else if (alone) {
      rules_["until-" + std::to_string(id)] = kNothing;
    } else {
      fail();
    }
  }

  common_peg_arena format_;
  bool begun_ = false;  // the prompt has begun the reasoning, and may have ended it
  std::set<std::string> visited_;
  std::map<std::string, std::string> rules_;  // replacement texts
  // Repetitions of characters: unbounded and bounded form.
  std::map<std::string, std::string> repetitions_;
  // End markers of reasoning: optional and required form.
  std::map<std::string, std::string> endings_;
};

}  // namespace

std::string corrected(std::string grammar, bool several_calls) {
  replace_all(grammar, R"(["\\/ bfnrt])", R"(["\\/bfnrt])");
  if (several_calls) return grammar;
  for (const std::string_view rule : {"\ntool-calls ::= (", "\ntools ::= ("}) {
    const std::size_t begin = grammar.find(rule);
    const std::size_t end = begin == std::string::npos ? begin : grammar.find('\n', begin + 1);
    if (end != std::string::npos && grammar[end - 1] == '+') grammar.erase(end - 1, 1);
  }
  return grammar;
}

std::string call_grammar(const common_chat_params& params) {
  return CallGrammar(params).rewrite(params.grammar);
}

}  // namespace infernode::chat
