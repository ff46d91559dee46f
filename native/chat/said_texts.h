// What a conversation says, and whether a prompt made of it has it all: templates leave
// out what they have no place for without a word. Part of infernode-chat, one thread.
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
  std::string text;  // without space around it; of a call, its tool's name
};

// A prompt of the same conversation with other texts. May throw.
using RenderTurns = std::function<std::string(const std::vector<Turn>& turns)>;

// The texts that are not in the prompt. Looks for them first; where one is short enough
// to be there by chance (in `fixed`, the template's own words), or does not stand
// where it should, renders a word in place of each.
std::vector<SaidText> left_out(const std::vector<Turn>& turns, const std::string& prompt,
                               const std::string& fixed, const RenderTurns& render);

}  // namespace infernode::chat
