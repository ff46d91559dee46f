// Error messages for a template that cannot be parsed or that failed: the template's own message
// (raise_exception) or that of llama.cpp's interpreter, without the position it prefixes. Part of
// infernode-chat, one thread.
#pragma once

#include <string>
#include <string_view>

namespace infernode::chat {

// For a template that did not parse: llama-common logs the reason and tells its caller only that it
// failed, so the text is parsed again here.
std::string unreadable(const std::string& source);

// For a rendering that ended with this error.
std::string unrendered(std::string_view error);

}  // namespace infernode::chat
