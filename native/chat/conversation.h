// Renders a conversation into a prompt with llama.cpp's Jinja templates, together with the format
// in which the answer will be written, as llama-common detects it for each template. Throws
// std::exception whose text continues a sentence that begins "the chat template". Part of
// infernode-chat, one thread.
#pragma once

#include "chat.h"
#include "json.h"
#include "templates.h"

namespace infernode::chat {

// Returns the prompt, its stop strings and, under "answer" if the answer is more than plain text,
// how to parse it and the grammar that constrains it.
common_json render(Templates& templates, const common_json& request);

}  // namespace infernode::chat
