// Tools for templates without a place for them: a system message describes them, calls
// and results are texts of the conversation, and an answer's calls are bound and read in
// the same form. Part of infernode-chat, one thread.
#pragma once

#include <vector>

#include "chat.h"
#include "json.h"
#include "message_forms.h"

namespace infernode::chat {

// `turns` with calls and results as texts, and the description of `tools`, a list in
// OpenAI's form which may be empty, at the end of the first system message.
std::vector<Turn> with_told_calls(const std::vector<Turn>& turns, const common_json& tools,
                                  bool several_calls);

// As common_chat_templates_apply of a conversation with told calls. The template is shown no tools;
// grammar and parser are those of an answer that may, or must, call `inputs.tools`.
common_chat_params apply_generic(const common_chat_templates* templates,
                                 const common_chat_templates_inputs& inputs);

}  // namespace infernode::chat
