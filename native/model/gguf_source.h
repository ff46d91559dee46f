// A GGUF file without a file: its header is in memory, its weights are computed when they are read.
// Random weights come from synthetic_file, a Hugging Face checkpoint's from
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
  // Its header, validated like that of a file.
  virtual GgufFile parse() const = 0;
  // Reads bytes from `position` on, all inside the file. Throws Error.
  virtual void read(std::uint64_t position, std::span<char> out) const = 0;
};

}  // namespace infernode
