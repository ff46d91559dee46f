// The texts of a conversation, and whether a rendered prompt contains all of them: templates
// silently drop what they have no place for. Part of infernode-chat, one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "message_forms.h"

namespace infernode::chat {

struct SaidText {
  enum class Kind { kText, kPart, kCall };
  std::size_t turn;
  Kind kind;
  std::string text;  // trimmed; for a call, the tool's name
};

// Renders the same conversation with other texts. May throw.
using RenderTurns = std::function<std::string(const std::vector<Turn>& turns)>;

// The texts that the prompt does not contain. Searches for them first; a text that is short enough
// to occur by chance (in `fixed`, the template's own words), or that occurs at the wrong place, is
// checked again by rendering a unique word in place of each text.
std::vector<SaidText> left_out(const std::vector<Turn>& turns, const std::string& prompt,
                               const std::string& fixed, const RenderTurns& render);

}  // namespace infernode::chat
