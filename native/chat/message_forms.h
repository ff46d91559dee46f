// Other ways to say a conversation, for templates that leave out some of it as it is: a
// second system message, text beside tool calls, all but the first of a message's
// parts. A pure function. Part of infernode-chat.
#pragma once

#include <cstddef>
#include <vector>

#include "chat.h"

namespace infernode::chat {

enum class Systems {
  kAsGiven,
  kOneAtTheBeginning,  // those before anything else as one; later ones are users' text
  kNone,               // all are users' text
};

struct MessageForm {
  bool parts_joined = false;  // by newlines
  bool calls_apart = false;   // in a message after the text they came with
  Systems systems = Systems::kAsGiven;

  [[nodiscard]] bool operator==(const MessageForm&) const = default;
};

struct Turn {
  common_chat_msg message;
  std::size_t place = 0;  // among the caller's messages
};

[[nodiscard]] bool is_system(const common_chat_msg& message);
[[nodiscard]] bool has_text(const common_chat_msg& message);

std::vector<Turn> in_form(const std::vector<common_chat_msg>& messages, const MessageForm& form);

}  // namespace infernode::chat
