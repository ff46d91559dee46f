#include "model/prompt_form.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace infernode {

namespace {

struct Control {
  std::string text;
  TokenId token;
};

// The control tokens that are spelled in the text, longest first.
std::vector<Control> controls_of(const LlamaModel& model, const std::string& text) {
  std::map<std::string, TokenId> found;
  for (const TokenId token : model.vocab().tokenize(text, false, true)) {
    if (!model.vocab().piece(token).empty()) continue;
    const TokenId one[] = {token};
    if (std::string spelt = model.vocab().detokenize(one, true); !spelt.empty())
      found[spelt] = token;
  }
  std::vector<Control> controls;
  for (const auto& [spelt, token] : found) controls.push_back({spelt, token});
  std::ranges::stable_sort(controls, std::greater{},
                           [](const Control& control) { return control.text.size(); });
  return controls;
}

}  // namespace

std::vector<PromptSegment> segments_of(const LlamaModel& model, const PromptForm& form) {
  const std::vector<Control> controls = controls_of(model, form.text);
  std::vector<PromptSegment> segments;
  std::string filled;  // text since the last control token
  const auto flush = [&] {
    if (!filled.empty()) segments.emplace_back(std::exchange(filled, {}));
  };
  for (std::string_view rest = form.text; !rest.empty();) {
    const auto begins = [&](const std::string& text) { return rest.starts_with(text); };
    if (const auto control = std::ranges::find_if(controls, begins, &Control::text);
        control != controls.end()) {
      flush();
      segments.emplace_back(control->token);
      rest.remove_prefix(control->text.size());
    } else if (const auto value =
                   std::ranges::find_if(form.values, begins, [](auto& pair) { return pair.first; });
               value != form.values.end()) {
      filled += value->second;
      rest.remove_prefix(value->first.size());
    } else {
      filled += rest.front();
      rest.remove_prefix(1);
    }
  }
  flush();
  return segments;
}

}  // namespace infernode
