// What is told of a template that cannot be read or that failed: what it says
// itself, or what llama.cpp's interpreter says, before anything about where.
// Part of infernode-chat, one thread.
#pragma once

#include <string>
#include <string_view>

namespace infernode::chat {

// Of a template whose parsing failed: llama-common tells its log why, and its caller
// only that it did, so the text is parsed once more.
std::string unreadable(const std::string& source);

// Of a rendering that ended with this error.
std::string unrendered(std::string_view error);

}  // namespace infernode::chat
