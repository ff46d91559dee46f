// Brings a file into the page cache piece by piece, so that mapping it
// afterwards does not block: llama.cpp populates a whole mapping in one kernel
// call, which tells no progress and cannot be cancelled.
// Holds nothing; the kernel owns the pages and may drop them again.
// Any thread may call this; it blocks for as long as the disk takes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace infernode {

// Told after each piece how many bytes are done; false stops the reading.
using WarmProgress = std::function<bool(std::uint64_t bytes)>;

// Reads the parts of the file that are not in memory yet. False: stopped by
// `progress`. Trouble with the file is no error here: whoever maps it next
// will say so.
[[nodiscard]] bool warm_page_cache(const std::string& path, const WarmProgress& progress);

}  // namespace infernode
