// A second header with more values, followed by the source's data; see checkpoint_writer.h.
#include "checkpoint/checkpoint_writer.h"

#include <algorithm>

#include "checkpoint/output_file.h"
#include "core/types.h"
#include "model/gguf_writer.h"

namespace infernode {

namespace {

// Bytes computed at a time: enough rows for every thread, without using more memory.
constexpr std::uint64_t kBlockBytes = 32u << 20;
// Checkpoint formats pack rows in interleaved blocks of up to this many rows.
constexpr std::uint64_t kRowBlock = 64;

std::string new_header(const GgufFile& file, const WriteOptions& options) {
  INFERNODE_CHECK(file.alignment() == GgufWriter::kAlignment, "a checkpoint's alignment");
  GgufWriter writer;
  for (const GgufEntry& entry : file.metadata()) writer.copy(entry, file);
  for (const auto& [key, text] : options.values) writer.text(key, text);
  for (const GgufTensor& tensor : file.tensors()) {
    INFERNODE_CHECK(writer.data_bytes() == tensor.offset, "a checkpoint's tensor has a gap");
    const std::vector<std::uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
    writer.tensor(tensor.name, shape, tensor.type, tensor.bytes);
  }
  return writer.header();
}

// Whole rows, in multiples of kRowBlock if they are short, so that each block of rows is packed
// once.
std::uint64_t block_bytes(const GgufTensor& tensor) {
  const auto columns = tensor.shape.empty() ? 1 : static_cast<std::uint64_t>(tensor.shape[0]);
  const std::uint64_t rows = tensor.elements / columns;
  const std::uint64_t row_bytes = tensor.bytes / rows;
  std::uint64_t count = std::max<std::uint64_t>(1, kBlockBytes / row_bytes);
  if (count > kRowBlock) count -= count % kRowBlock;
  return count * row_bytes;
}

class Copy {
 public:
  Copy(const GgufSource& source, OutputFile& out, std::uint64_t from, std::uint64_t to)
      : source_(source), out_(out), from_(from), to_(to) {}

  void tensor(const GgufTensor& tensor, const std::function<void(std::uint64_t)>& written) {
    const std::uint64_t most = std::min(tensor.bytes, block_bytes(tensor));
    if (block_.size() < most) block_.resize(most);
    for (std::uint64_t done = 0; done < tensor.bytes;) {
      const std::uint64_t bytes = std::min(most, tensor.bytes - done);
      const std::span<char> block(block_.data(), bytes);
      source_.read(from_ + tensor.offset + done, block);
      out_.write(to_ + tensor.offset + done, block);
      done += bytes;
      written(bytes);
    }
  }

 private:
  const GgufSource& source_;
  OutputFile& out_;
  std::uint64_t from_;  // start of the data in the source
  std::uint64_t to_;    // and in the file
  std::vector<char> block_;
};

}  // namespace

std::uint64_t write_checkpoint(const GgufSource& source, const WriteOptions& options,
                               const std::function<void(float)>& progress,
                               const std::atomic<bool>& cancelled) {
  const auto check = [&] {
    if (cancelled) throw Error(ErrorCode::kCancelled, "Writing the model was cancelled.");
  };
  check();
  const GgufFile file = source.parse();
  const std::string header = new_header(file, options);
  const std::uint64_t data = source.size() - file.header_bytes();
  const std::uint64_t size = header.size() + data;
  OutputFile out(options.path, size);
  out.write(0, header);
  Copy copy(source, out, file.header_bytes(), header.size());
  std::uint64_t done = 0;
  const auto all = static_cast<double>(file.weight_bytes());
  for (const GgufTensor& tensor : file.tensors()) {
    check();
    copy.tensor(tensor, [&](std::uint64_t bytes) {
      check();
      done += bytes;
      if (progress) progress(static_cast<float>(static_cast<double>(done) / all));
    });
  }
  // Any bytes after the last tensor and, if nothing was reserved, the file's whole length.
  const std::uint64_t end =
      file.tensors().empty() ? 0 : file.tensors().back().offset + file.tensors().back().bytes;
  out.write(header.size() + end, std::string(data - end, '\0'));
  out.commit();
  return size;
}

}  // namespace infernode
