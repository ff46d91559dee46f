// The form of error messages about a checkpoint: "<path in quotes> <why>", with tensors in quotes.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/types.h"
#include "model/gguf_text.h"

namespace infernode {

[[noreturn]] inline void refuse_file(ErrorCode code, const std::string& path,
                                     const std::string& why) {
  throw Error(code, quoted_path(path) + " " + why);
}

// A tensor's name or another text from the file, made safe for a message.
inline std::string quoted_name(std::string_view text) { return "'" + printable(text, 200) + "'"; }

}  // namespace infernode
