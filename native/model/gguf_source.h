// A GGUF file that is nowhere: its header in memory, its weights made where they are read.
// Random ones are made by synthetic_file, a Hugging Face checkpoint's by
// checkpoint/checkpoint_file. Immutable; one thread reads at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "model/gguf_file.h"

namespace infernode {

class GgufSource {
 public:
  GgufSource() = default;
  virtual ~GgufSource() = default;
  GgufSource(const GgufSource&) = delete;
  GgufSource& operator=(const GgufSource&) = delete;

  // Stands for the path in messages.
  virtual const std::string& label() const = 0;
  virtual std::uint64_t size() const = 0;
  // Its header, judged like any file's.
  virtual GgufFile parse() const = 0;
  // Bytes from `position` on, all of them inside the file. Throws Error.
  virtual void read(std::uint64_t position, std::span<char> out) const = 0;
};

}  // namespace infernode
