// Equivalent forms of a conversation, for templates that drop part of it in its original form: a
// second system message, text beside tool calls, all but the first part of a message. Pure; any
// thread. Part of infernode-chat.
#pragma once

#include <cstddef>
#include <vector>

#include "chat.h"

namespace infernode::chat {

enum class Systems {
  kAsGiven,
  // Those before any other message merged into one; later ones become user text.
  kOneAtTheBeginning,
  kNone,  // all become user text
};

struct MessageForm {
  bool parts_joined = false;  // joined by newlines
  bool calls_apart = false;   // in a message of their own after the text they came with
  Systems systems = Systems::kAsGiven;

  [[nodiscard]] bool operator==(const MessageForm&) const = default;
};

struct Turn {
  common_chat_msg message;
  std::size_t place = 0;  // index among the caller's messages
};

[[nodiscard]] bool is_system(const common_chat_msg& message);
[[nodiscard]] bool has_text(const common_chat_msg& message);

std::vector<Turn> in_form(const std::vector<Turn>& given, const MessageForm& form);

}  // namespace infernode::chat
