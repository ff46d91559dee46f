// A conversation becomes a prompt, and the prompt knows how its answer is
// written: llama.cpp's Jinja templates and what llama-common finds out about
// each. Throws std::exception, whose text goes on after "the chat template". Part
// of infernode-chat, one thread.
#pragma once

#include <list>
#include <string>
#include <utility>

#include "chat.h"
#include "json.h"

namespace infernode::chat {

// Parsed templates by their text: parsing and probing one costs many renders.
class Templates {
 public:
  const common_chat_templates* get(const std::string& source, const std::string& bos,
                                   const std::string& eos);

 private:
  std::list<std::pair<std::string, common_chat_templates_ptr>> kept_;
};

// The prompt, its stop strings, and under "answer", where the answer is more than
// text, how to read it and what binds it.
common_json render(Templates& templates, const common_json& request);

}  // namespace infernode::chat
