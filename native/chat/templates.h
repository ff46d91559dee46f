// Parsed chat templates, kept from one request to the next. Part of infernode-chat, one thread.
#pragma once

#include <list>
#include <string>
#include <utility>

#include "chat.h"

namespace infernode::chat {

// Parsed templates by their text: parsing and probing a template takes many renderings.
class Templates {
 public:
  const common_chat_templates* get(const std::string& source, const std::string& bos,
                                   const std::string& eos);

 private:
  std::list<std::pair<std::string, common_chat_templates_ptr>> kept_;
};

}  // namespace infernode::chat
