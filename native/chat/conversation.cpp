#include "conversation.h"

#include <algorithm>
#include <exception>
#include <set>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "call_grammar.h"
#include "call_triggers.h"
#include "chat-peg-parser.h"
#include "generic_calls.h"
#include "message_forms.h"
#include "said_texts.h"
#include "template_failure.h"

namespace infernode::chat {

namespace {

common_chat_tool_choice choice_from(const std::string& name) {
  if (name == "required") return COMMON_CHAT_TOOL_CHOICE_REQUIRED;
  if (name == "none") return COMMON_CHAT_TOOL_CHOICE_NONE;
  return COMMON_CHAT_TOOL_CHOICE_AUTO;
}

// Whose form calls have: the template's, or ours (generic_calls.h).
enum class CallForm { kTemplate, kGeneric };

void add_tools(common_chat_templates_inputs& inputs, const common_json& request,
               std::map<std::string, bool> caps, CallForm calls) {
  if (!request.contains("tools")) return;
  inputs.tools = common_chat_tools_parse_oaicompat(request.at("tools"));
  if (inputs.tools.empty()) return;
  if (calls == CallForm::kTemplate && !caps["supports_tools"])
    throw std::invalid_argument(
        "it has no place for tools; send none, load a model made for them (Qwen3, Llama 3.1), or "
        "ask for calls in the form \"auto\" instead of \"template\"");
  inputs.tool_choice = choice_from(request.at("toolChoice"));
  inputs.parallel_tool_calls =
      request.contains("parallelToolCalls")
          ? request.at("parallelToolCalls").get<bool>()
          : calls == CallForm::kGeneric || caps["supports_parallel_tool_calls"];
}

// JSON standing for arguments that are not an object, for templates that expect objects.
using ArgumentsForm = std::string (*)(const std::string& written);

std::string as_written(const std::string& written) {
  if (!common_json::parse_no_throw(written).is_discarded()) return written;
  return common_json(written).dump();
}

std::string as_object(const std::string& written) {
  return common_json::object({{"arguments", written}}).dump();
}

// Models write calls whose arguments are not an object or not JSON, and such calls occur in
// histories.
void tell_odd_arguments(std::vector<common_chat_msg>& messages, ArgumentsForm form) {
  for (common_chat_msg& message : messages)
    for (common_chat_tool_call& call : message.tool_calls)
      if (!common_json::parse_no_throw(call.arguments).is_object())
        call.arguments = form(call.arguments);
}

common_chat_templates_inputs inputs_from(const common_json& request,
                                         const common_chat_templates* templates, CallForm calls,
                                         ArgumentsForm form) {
  common_chat_templates_inputs inputs;
  std::map<std::string, bool> caps = common_chat_templates_get_caps(templates);
  inputs.messages = common_chat_msgs_parse_oaicompat(request.at("messages"));
  if (calls == CallForm::kTemplate && caps["supports_object_arguments"])
    tell_odd_arguments(inputs.messages, form);
  inputs.add_generation_prompt = request.at("addGenerationPrompt").get<bool>();
  if (request.contains("splitReasoning") && request.at("splitReasoning").get<bool>())
    inputs.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
  if (request.contains("schema")) inputs.json_schema = request.at("schema").dump();
  const common_json& variables = request.at("variables");
  for (const auto& [name, value] : variables.items()) {
    inputs.chat_template_kwargs[name] = value.dump();
    if (name == "enable_thinking" && value.is_boolean()) inputs.enable_thinking = value.get<bool>();
  }
  add_tools(inputs, request, std::move(caps), calls);
  return inputs;
}

constexpr std::size_t kShortestMarker = 2;  // bytes of a literal

// Strings that may end one part of an answer and begin another, and the names of the parts.
struct Shape {
  std::set<std::string> ends;      // what ends a free text
  std::set<std::string> literals;  // literals of the format
  std::set<std::string> parts;
};

Shape shape_of(const std::string& saved) {
  Shape shape;
  if (saved.empty()) return shape;
  const common_json arena = common_json::parse(saved);
  for (const common_json& parser : arena.at("parsers")) {
    const std::string type = parser.at("type");
    if (type == "tag") shape.parts.insert(parser.at("tag").get<std::string>());
    if (type == "literal") {
      const std::string text = parser.at("literal");
      if (text.size() >= kShortestMarker) shape.literals.insert(text);
    }
    if (type != "until" && type != "ac") continue;
    for (const common_json& delimiter : parser.at("delimiters")) {
      const std::string text = delimiter;
      if (!text.empty()) shape.ends.insert(text);
    }
  }
  return shape;
}

common_json triggers_of(const common_chat_params& params,
                        const std::vector<common_chat_tool>& tools) {
  common_json triggers = common_json::array();
  if (!params.grammar_lazy) return triggers;
  for (const CallTrigger& trigger : call_triggers(params, tools))
    triggers.push_back(common_json::object({{"word", trigger.word}, {"begins", trigger.begins}}));
  return triggers;
}

// Whether the prompt ends inside reasoning.
bool thinks(const common_chat_params& params) {
  if (params.thinking_start_tag.empty()) return false;
  const std::size_t start = params.generation_prompt.rfind(params.thinking_start_tag);
  if (start == std::string::npos) return false;
  const std::string thought = params.generation_prompt.substr(start);
  return std::ranges::none_of(params.thinking_end_tags, [&](const std::string& end) {
    return thought.find(end) != std::string::npos;
  });
}

// Null if every answer is plain text.
common_json answer_of(const common_chat_params& params, const common_chat_templates_inputs& inputs,
                      const std::string& grammar) {
  const bool calls = !inputs.tools.empty() && inputs.tool_choice != COMMON_CHAT_TOOL_CHOICE_NONE;
  const Shape shape = shape_of(params.parser);
  if (calls && !shape.parts.contains(common_chat_peg_builder::TOOL_OPEN))
    throw std::invalid_argument(
        "the form in which it writes tool calls is not known; send no tools");
  const bool only_text =
      std::all_of(shape.parts.begin(), shape.parts.end(),
                  [](const std::string& part) { return part == common_chat_peg_builder::CONTENT; });
  if (only_text && shape.ends.empty()) return {};
  return common_json::object({{"format", static_cast<int>(params.format)},
                              {"parser", params.parser},
                              {"generationPrompt", params.generation_prompt},
                              {"ends", shape.ends},
                              {"words", shape.literals},
                              {"visible", params.preserved_tokens},
                              {"grammar", corrected(grammar, inputs.parallel_tool_calls)},
                              {"triggers", triggers_of(params, inputs.tools)},
                              {"lazy", params.grammar_lazy},
                              {"thinkingStart", params.thinking_start_tag},
                              {"thinkingEnds", params.thinking_end_tags},
                              {"thinking", thinks(params)}});
}

struct Applied {
  common_chat_params params;
  std::string grammar;
};

common_chat_params apply(const common_chat_templates* parsed,
                         const common_chat_templates_inputs& inputs, CallForm calls) {
  if (calls == CallForm::kGeneric) return apply_generic(parsed, inputs);
  common_chat_params params = common_chat_templates_apply(parsed, inputs);
  const bool may_call = !inputs.tools.empty() && inputs.tool_choice == COMMON_CHAT_TOOL_CHOICE_AUTO;
  if (may_call && params.grammar.empty()) {
    common_chat_templates_inputs required = inputs;
    required.tool_choice = COMMON_CHAT_TOOL_CHOICE_REQUIRED;
    bind_unmarked_calls(params, common_chat_templates_apply(parsed, required));
  }
  return params;
}

// A required call is constrained as if reasoning were separated from text: the grammar must
// distinguish them even if the caller does not want to.
Applied applied(const common_chat_templates* parsed, const common_chat_templates_inputs& inputs,
                CallForm calls) {
  const bool required =
      !inputs.tools.empty() && inputs.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED;
  common_chat_templates_inputs apart = inputs;
  if (required) apart.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
  common_chat_params params = apply(parsed, apart, calls);
  std::string grammar = required ? call_grammar(params) : params.grammar;
  if (required && inputs.reasoning_format != apart.reasoning_format && thinks(params))
    params = apply(parsed, inputs, calls);
  return {std::move(params), std::move(grammar)};
}

// For templates to which llama-common passes a schema; others receive it in another form.
constexpr std::string_view kShowsSchema = "dsml_token";

// The prompt contains the tools and the schema themselves; the grammar and the parser are made from
// stand-ins for them (src/chat/stand-ins.ts).
std::string shown_prompt(const common_chat_templates* parsed, common_chat_templates_inputs inputs,
                         const common_json& request, CallForm calls) {
  inputs.tool_choice = COMMON_CHAT_TOOL_CHOICE_NONE;
  inputs.tools.clear();
  if (calls == CallForm::kTemplate && request.contains("shownTools"))
    inputs.tools = common_chat_tools_parse_oaicompat(request.at("shownTools"));
  inputs.json_schema.clear();
  const std::string source = request.at("template");
  if (request.contains("shownSchema") && source.find(kShowsSchema) != source.npos)
    inputs.chat_template_kwargs["response_format"] = request.at("shownSchema").dump();
  return common_chat_templates_apply(parsed, inputs).prompt;
}

// A text that would be missing from the prompt in any form of the conversation.
class LeftOut : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::vector<common_chat_msg> messages_of(const std::vector<Turn>& turns) {
  std::vector<common_chat_msg> messages;
  for (const Turn& turn : turns) messages.push_back(turn.message);
  return messages;
}

std::string complaint_of(const SaidText& lost, const std::vector<Turn>& turns) {
  const Turn& turn = turns[lost.turn];
  return "has no place for " +
         std::string(lost.kind == SaidText::Kind::kCall ? "a tool call" : "the text") +
         " of messages[" + std::to_string(turn.place) + "], role \"" + turn.message.role +
         "\": it would be missing in the prompt; leave it out, say it in a user's message, or "
         "name another template";
}

// A form in which the lost text may be rendered; false if there is none left.
bool improve(MessageForm& form, const std::vector<SaidText>& lost, const std::vector<Turn>& turns) {
  const MessageForm before = form;
  for (const SaidText& one : lost) {
    const common_chat_msg& message = turns[one.turn].message;
    if (one.kind == SaidText::Kind::kPart) {
      form.parts_joined = true;
    } else if (!message.tool_calls.empty() && has_text(message)) {
      form.calls_apart = true;
    } else if (is_system(message)) {
      form.systems =
          before.systems == Systems::kAsGiven ? Systems::kOneAtTheBeginning : Systems::kNone;
    } else {
      return false;
    }
  }
  return form != before;
}

std::vector<Turn> turns_of(const common_json& request, const common_chat_templates_inputs& inputs,
                           CallForm calls) {
  std::vector<Turn> turns;
  for (const common_chat_msg& message : inputs.messages) turns.push_back({message, turns.size()});
  if (calls == CallForm::kTemplate) return turns;
  return with_told_calls(turns, request.value("shownTools", common_json::array()),
                         inputs.parallel_tool_calls);
}

// A prompt that contains every text, and the messages in the form that produced it. `fixed`: the
// texts that the template itself may produce.
Applied applied_whole(const common_chat_templates* parsed, common_chat_templates_inputs& inputs,
                      const std::vector<Turn>& given, const std::string& fixed, CallForm calls) {
  MessageForm form;
  if (!common_chat_templates_get_caps(parsed)["supports_system_role"])
    form.systems = Systems::kNone;
  for (std::string complaint;;) {
    const std::vector<Turn> turns = in_form(given, form);
    inputs.messages = messages_of(turns);
    Applied result;
    try {
      result = applied(parsed, inputs, calls);
    } catch (const std::exception&) {
      if (complaint.empty()) throw;
      throw LeftOut(complaint);
    }
    const auto lost = left_out(turns, result.params.prompt, fixed, [&](const auto& probes) {
      common_chat_templates_inputs probed = inputs;
      probed.messages = messages_of(probes);
      return common_chat_templates_apply(parsed, probed).prompt;
    });
    if (lost.empty()) return result;
    if (complaint.empty()) complaint = complaint_of(lost.front(), turns);
    if (!improve(form, lost, turns)) throw LeftOut(complaint);
  }
}

common_json render_with(const common_chat_templates* parsed, const common_json& request,
                        CallForm calls, ArgumentsForm form) {
  const std::string bos = request.at("bos");
  common_chat_templates_inputs inputs = inputs_from(request, parsed, calls, form);
  const std::string fixed = request.at("template").get<std::string>() +
                            request.value("tools", common_json()).dump() +
                            request.value("shownTools", common_json()).dump();
  const std::vector<Turn> turns = turns_of(request, inputs, calls);
  auto [params, grammar] = applied_whole(parsed, inputs, turns, fixed, calls);
  if (request.contains("shownTools") || request.contains("shownSchema"))
    params.prompt = shown_prompt(parsed, inputs, request, calls);
  // The tokenizer adds its own BOS.
  if (request.at("addBos").get<bool>() && !bos.empty() && params.prompt.starts_with(bos))
    params.prompt.erase(0, bos.size());
  return common_json::object({{"prompt", params.prompt},
                              {"stops", params.additional_stops},
                              {"answer", answer_of(params, inputs, grammar)}});
}

common_json render_in(const common_chat_templates* parsed, const common_json& request,
                      CallForm calls) {
  try {
    return render_with(parsed, request, calls, as_written);
  } catch (const LeftOut&) {
    throw;
  } catch (const std::exception& error) {
    try {  // a template that iterates over an object's members
      return render_with(parsed, request, calls, as_object);
    } catch (const std::exception&) {
      throw std::runtime_error(unrendered(error.what()));
    }
  }
}

bool speaks_of_tools(const common_json& request) {
  if (request.contains("tools")) return true;
  for (const common_json& message : request.at("messages"))
    if (message.contains("tool_calls")) return true;
  return false;
}

}  // namespace

common_json render(Templates& templates, const common_json& request) {
  const common_chat_templates* parsed =
      templates.get(request.at("template"), request.at("bos"), request.at("eos"));
  const std::string form = request.value("toolForm", std::string("auto"));
  if (form == "generic") return render_in(parsed, request, CallForm::kGeneric);
  if (form == "template" || !speaks_of_tools(request))
    return render_in(parsed, request, CallForm::kTemplate);
  if (request.contains("tools") && !common_chat_templates_get_caps(parsed)["supports_tools"])
    return render_in(parsed, request, CallForm::kGeneric);
  try {
    return render_in(parsed, request, CallForm::kTemplate);
  } catch (const std::exception& error) {
    const std::string complaint = error.what();
    try {  // its form of calls is not known, or it fails at these tools
      return render_in(parsed, request, CallForm::kGeneric);
    } catch (const std::exception&) {
      throw std::runtime_error(complaint);
    }
  }
}

}  // namespace infernode::chat
