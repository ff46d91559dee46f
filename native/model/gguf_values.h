// A GgufSource with some text values added to its header: the same tensors and data behind a longer
// header. Used to store a cache entry's key in the file. Thread rules as for its source.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/gguf_source.h"

namespace infernode {

using TextValues = std::vector<std::pair<std::string, std::string>>;  // key and text

class ValuedSource final : public GgufSource {
 public:
  // `source` must outlive this. None of the keys may exist in the source.
  ValuedSource(const GgufSource& source, const TextValues& values);

  const std::string& label() const override { return source_.label(); }
  std::uint64_t size() const override { return header_.size() + source_.size() - replaced_; }
  GgufFile parse() const override;
  void read(std::uint64_t position, std::span<char> out) const override;

 private:
  const GgufSource& source_;
  std::string header_;
  std::uint64_t replaced_ = 0;  // bytes of the source's own header
};

}  // namespace infernode
