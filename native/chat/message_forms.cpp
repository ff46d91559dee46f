#include "message_forms.h"

#include <string>
#include <utility>

namespace infernode::chat {

namespace {

void set_text(common_chat_msg& message, std::string text) {
  message.content = std::move(text);
  message.content_parts.clear();
}

void append_text(common_chat_msg& message, const std::string& text) {
  const std::string before = message.render_content();
  set_text(message, before.empty() ? text : before + "\n" + text);
}

// Moves system messages into one at the beginning or into user turns.
class SystemFolder {
 public:
  explicit SystemFolder(bool keeps_first) : keeps_first_(keeps_first) {}

  void add(Turn turn) {
    if (!is_system(turn.message)) {
      settle(turn.message.role == "user" ? &turn.message : nullptr);
      turns_.push_back(std::move(turn));
    } else if (!keeps_first_ || begun_talk()) {
      waiting_.push_back(std::move(turn));
    } else if (turns_.empty()) {
      turns_.push_back(std::move(turn));
    } else {
      append_text(turns_.front().message, turn.message.render_content());
    }
  }

  std::vector<Turn> turns() {
    settle(nullptr);
    return std::move(turns_);
  }

 private:
  bool begun_talk() const { return !waiting_.empty() || turns_.size() > (first_kept() ? 1U : 0U); }
  bool first_kept() const { return !turns_.empty() && is_system(turns_.front().message); }

  // Pending text is added to the user turn that follows or precedes, or becomes a user turn.
  void settle(common_chat_msg* next) {
    if (waiting_.empty()) return;
    Turn said = std::move(waiting_.front());
    for (std::size_t i = 1; i < waiting_.size(); ++i)
      append_text(said.message, waiting_[i].message.render_content());
    waiting_.clear();
    const std::string text = said.message.render_content();
    if (next != nullptr) {
      set_text(*next, text + "\n" + next->render_content());
    } else if (!turns_.empty() && turns_.back().message.role == "user") {
      append_text(turns_.back().message, text);
    } else {
      said.message.role = "user";
      turns_.push_back(std::move(said));
    }
  }

  const bool keeps_first_;
  std::vector<Turn> turns_;
  std::vector<Turn> waiting_;
};

}  // namespace

bool is_system(const common_chat_msg& message) {
  return message.role == "system" || message.role == "developer";
}

bool has_text(const common_chat_msg& message) {
  return !message.content.empty() || !message.content_parts.empty();
}

std::vector<Turn> in_form(const std::vector<Turn>& given, const MessageForm& form) {
  std::vector<Turn> turns;
  for (const Turn& turn : given) {
    common_chat_msg message = turn.message;
    if (form.parts_joined) set_text(message, message.render_content());
    if (form.calls_apart && !message.tool_calls.empty() && has_text(message)) {
      common_chat_msg text = message;
      text.tool_calls.clear();
      turns.push_back({std::move(text), turn.place});
      set_text(message, "");
      message.reasoning_content.clear();
    }
    turns.push_back({std::move(message), turn.place});
  }
  if (form.systems == Systems::kAsGiven) return turns;
  SystemFolder folder(form.systems == Systems::kOneAtTheBeginning);
  for (Turn& turn : turns) folder.add(std::move(turn));
  return folder.turns();
}

}  // namespace infernode::chat
