// Writes a GgufSource, such as a checkpoint, to disk as a GGUF file: block by block, so that memory
// does not grow with the model, and without leaving a partial file. Rethrows errors of the source's
// reads. Single use, one thread; the source computes in parallel.
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
  std::string path;  // of the file to write; its folder must exist
  // Text values to add to the source's header: key and text.
  std::vector<std::pair<std::string, std::string>> values;
};

// Returns the file's size in bytes. `progress` is called on this thread with the fraction written.
// Throws Error: kDiskFull, kFileNotWritable, and kCancelled once `cancelled` is true.
std::uint64_t write_checkpoint(const GgufSource& source, const WriteOptions& options,
                               const std::function<void(float)>& progress,
                               const std::atomic<bool>& cancelled);

}  // namespace infernode
