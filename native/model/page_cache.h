// Reads a file into the page cache piece by piece, so that mapping it afterwards does not block:
// llama.cpp populates a whole mapping in one kernel call, which reports no progress and cannot be
// cancelled. Holds no resources; the kernel owns the pages and may drop them. Any thread may call
// this; it blocks as long as the disk takes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace infernode {

// Called after each piece with the bytes done; return false to stop reading.
using WarmProgress = std::function<bool(std::uint64_t bytes)>;

// Reads the parts of the file that are not in memory yet. False: stopped by `progress`. An
// unreadable file is not an error here; mapping it next will report it.
[[nodiscard]] bool warm_page_cache(const std::string& path, const WarmProgress& progress);

}  // namespace infernode
