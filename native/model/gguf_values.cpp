#include "model/gguf_values.h"

#include <algorithm>
#include <cstring>

#include "core/types.h"
#include "model/gguf_writer.h"

namespace infernode {

ValuedSource::ValuedSource(const GgufSource& source, const TextValues& values) : source_(source) {
  const GgufFile file = source.parse();
  INFERNODE_CHECK(file.alignment() == GgufWriter::kAlignment, "a source has the usual alignment");
  GgufWriter writer;
  for (const GgufEntry& entry : file.metadata()) writer.copy(entry, file);
  for (const auto& [key, text] : values) {
    INFERNODE_CHECK(file.find(key) == nullptr, "a value of the header is added once");
    writer.text(key, text);
  }
  for (const GgufTensor& tensor : file.tensors()) {
    INFERNODE_CHECK(writer.data_bytes() == tensor.offset, "a source's tensors lie in order");
    const std::vector<std::uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
    writer.tensor(tensor.name, shape, tensor.type, tensor.bytes);
  }
  header_ = writer.header();
  replaced_ = file.header_bytes();
}

GgufFile ValuedSource::parse() const { return GgufFile::parse(header_, size(), label()); }

void ValuedSource::read(std::uint64_t position, std::span<char> out) const {
  const std::size_t begin = std::min<std::uint64_t>(position, header_.size());
  const std::size_t count = std::min(out.size(), header_.size() - begin);
  std::memcpy(out.data(), header_.data() + begin, count);
  if (count < out.size())
    source_.read(position + count - header_.size() + replaced_, out.subspan(count));
}

}  // namespace infernode
