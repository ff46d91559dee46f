// The grammar of an answer that must call a tool. llama-common's own grammar also allows arbitrary
// text before the call, and reasoning wherever the format has it, so that it enforces nothing. Part
// of infernode-chat, one thread.
#pragma once

#include <string>

#include "chat.h"

namespace infernode::chat {

// The grammar of `params`, which must have been created for a required call with reasoning
// separated, without text around the call and without reasoning that the prompt has not begun; the
// names in a call's head are bounded in length. Throws std::invalid_argument if the format has no
// such grammar.
std::string call_grammar(const common_chat_params& params);

// Removes what llama-common writes into a grammar and its own grammar parser refuses (the escape
// "\\ " in a string), and the additional calls that some formats always allow.
std::string corrected(std::string grammar, bool several_calls);

}  // namespace infernode::chat
