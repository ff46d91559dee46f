// Text of files and paths, made safe for messages. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace infernode {

// `text` made safe for a message: at most `most` characters, ASCII, '?' for anything else.
std::string printable(std::string_view text, std::size_t most = 80);

// The same in quotes.
std::string quoted(std::string_view text);

// A path in quotes, untruncated, with '?' for control characters.
std::string quoted_path(std::string_view path);

// Well-formed UTF-8 without NUL, as required of keys and tensor names.
[[nodiscard]] bool is_plain_text(std::string_view text);

}  // namespace infernode
