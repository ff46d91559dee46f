#include "model/gguf_reader.h"

#include <bit>

#include "model/gguf_text.h"

namespace infernode {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies");

std::uint64_t GgufReader::count(std::string_view what, std::uint64_t bytes_each,
                                std::uint64_t maximum) {
  const auto claimed = number<std::uint64_t>();
  if (claimed > maximum) {
    refuse_corrupt("it claims " + std::to_string(claimed) + " " + std::string(what) + ", at most " +
                   std::to_string(maximum) + " are believable");
  }
  if (claimed > left_in_file() / bytes_each) refuse_truncated(position_ + claimed * bytes_each);
  return claimed;
}

std::string_view GgufReader::text(std::uint64_t maximum, const std::string& what) {
  const auto length = number<std::uint64_t>();
  if (length > maximum) {
    refuse_corrupt(what + " claims " + std::to_string(length) + " bytes, at most " +
                   std::to_string(maximum) + " are possible");
  }
  const auto bytes = take(length);
  return {bytes.data(), bytes.size()};
}

std::span<const char> GgufReader::take(std::uint64_t count) {
  if (count > left_in_file()) refuse_truncated(position_ + count);
  const std::uint64_t end = position_ + count;
  if (end > kMaximumHeaderBytes) {
    refuse_corrupt("its header goes on beyond " + std::to_string(kMaximumHeaderBytes) + " bytes");
  }
  if (end > bytes_.size()) throw GgufNeedsMore{end};
  const auto taken = bytes_.subspan(position_, count);
  position_ = end;
  return taken;
}

void GgufReader::refuse_truncated(std::uint64_t needed) const {
  throw Error(ErrorCode::kModelTruncated,
              quoted_path(label_) + " ends too early: expected " + std::to_string(needed) +
                  " bytes or more, there are " + std::to_string(file_bytes_) +
                  "; download or copy it again.");
}

void GgufReader::refuse_corrupt(const std::string& what) const {
  throw Error(ErrorCode::kModelCorrupt,
              quoted_path(label_) + " is damaged: " + what + "; download or convert it again.");
}

}  // namespace infernode
