#include "model/fingerprint.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace infernode {

namespace {

constexpr std::uint64_t kPiece = 4096;  // bytes
constexpr std::uint64_t kPieces = 64;

// FNV-1a over words of eight bytes, with a final mixing step.
class Hash {
 public:
  void add(const char* bytes, std::size_t size) {
    for (; size >= 8; size -= 8, bytes += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes, 8);
      add(word);
    }
    std::uint64_t rest = size;
    std::memcpy(&rest, bytes, size);
    add(rest);
  }
  void add(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x100000001b3ULL;
    state_ ^= state_ >> 32;
  }
  std::string text() const {
    std::array<char, 17> digits{};
    std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(state_));
    return digits.data();
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

}  // namespace

std::string model_fingerprint(std::FILE* file, std::uint64_t file_bytes,
                              std::uint64_t header_bytes) {
  if (file == nullptr) return "";
  Hash hash;
  hash.add(file_bytes);
  std::vector<char> buffer(1 << 16);
  for (std::uint64_t left = header_bytes; left > 0;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    if (std::fread(buffer.data(), 1, wanted, file) != wanted) return "";
    hash.add(buffer.data(), wanted);
    left -= wanted;
  }
  const std::uint64_t weights = file_bytes - std::min(file_bytes, header_bytes);
  for (std::uint64_t piece = 0; piece < kPieces; ++piece) {
    const std::uint64_t at = header_bytes + weights / kPieces * piece;
    if (std::fseek(file, static_cast<long>(at), SEEK_SET) != 0) return "";
    hash.add(buffer.data(), std::fread(buffer.data(), 1, kPiece, file));
  }
  return hash.text();
}

}  // namespace infernode
