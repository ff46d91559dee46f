// The texts from which on the grammar binds a call that the model may make. llama-common names them
// as words for most formats, as regular expressions for three, and for JSON without a marker not at
// all. Part of infernode-chat, one thread.
#pragma once

#include <string>
#include <vector>

#include "chat.h"

namespace infernode::chat {

struct CallTrigger {
  std::string word;    // a space stands for white space of any length, none included
  std::string begins;  // the beginning of the grammar's text that it stands for
};

// Makes the lazy grammar of calls that no marker introduces, where llama-common made none: that of
// `required`, the same answer where a call is required, from the call on.
void bind_unmarked_calls(common_chat_params& params, const common_chat_params& required);

// Of `params`, whose grammar is lazy. Empty if the format's trigger is not known.
std::vector<CallTrigger> call_triggers(const common_chat_params& params,
                                       const std::vector<common_chat_tool>& tools);

}  // namespace infernode::chat
