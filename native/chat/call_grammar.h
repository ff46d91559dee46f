// The grammar of an answer that must call a tool. llama-common's own allows any text
// before the call, and a thought wherever the format has one, so that it binds
// nobody. Part of infernode-chat, one thread.
#pragma once

#include <string>

#include "chat.h"

namespace infernode::chat {

// The grammar of `params`, which were made for a required call with thoughts told
// apart, without text around the call and without a thought that the prompt has
// not begun; what a model may name in a call's head is short. Throws
// std::invalid_argument where the format has no such grammar.
std::string call_grammar(const common_chat_params& params);

// Without what llama-common writes into a grammar and its own parser refuses, the escape
// "\\ " in a string, and without the further calls that some formats allow always.
std::string corrected(std::string grammar, bool several_calls);

}  // namespace infernode::chat
