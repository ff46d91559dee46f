// Writes a GgufSource, such as a checkpoint, to disk as a GGUF file: block by block, so that
// memory does not grow with the model, and whole or not at all. Throws what the source's
// reads throw. One use by one thread; the source computes in parallel.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "model/gguf_source.h"

namespace infernode {

struct WriteOptions {
  std::string path;  // the file; its folder exists
  // Text values that the header gets besides the source's own: key and text.
  std::vector<std::pair<std::string, std::string>> values;
};

// Returns the file's bytes. `progress` is called on this thread with the fraction written.
// Throws Error: kDiskFull, kFileNotWritable, and kCancelled once `cancelled` is true.
std::uint64_t write_checkpoint(const GgufSource& source, const WriteOptions& options,
                               const std::function<void(float)>& progress,
                               const std::atomic<bool>& cancelled);

}  // namespace infernode
