#include "model/backend_files.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

namespace infernode {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "libinfernode-ggml-";
constexpr std::string_view kSuffix = ".so";
constexpr std::size_t kPinDigits = 8;
// Size limit of an ELF table: a larger one is damaged, and nothing is allocated for it.
constexpr std::uint64_t kMostTableBytes = 1u << 26;

[[nodiscard]] bool is_digit_of_pin(char letter) {
  return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
}

// `bytes` of the file from `offset` on; empty if the file is shorter.
std::vector<char> read_bytes(std::ifstream& file, std::uint64_t offset, std::uint64_t bytes) {
  if (bytes > kMostTableBytes) return {};
  std::vector<char> buffer(bytes);
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  if (!file.read(buffer.data(), static_cast<std::streamsize>(bytes))) return {};
  return buffer;
}

template <typename Record>
std::vector<Record> read_records(std::ifstream& file, std::uint64_t offset, std::uint64_t bytes) {
  const std::vector<char> buffer = read_bytes(file, offset, bytes);
  std::vector<Record> records(buffer.size() / sizeof(Record));
  if (!records.empty()) std::memcpy(records.data(), buffer.data(), records.size() * sizeof(Record));
  return records;
}

std::vector<Elf64_Shdr> sections_of(std::ifstream& file) {
  const auto headers = read_records<Elf64_Ehdr>(file, 0, sizeof(Elf64_Ehdr));
  if (headers.empty()) return {};
  const Elf64_Ehdr& header = headers.front();
  const bool is_elf = std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0;
  if (!is_elf || header.e_ident[EI_CLASS] != ELFCLASS64) return {};
  if (header.e_shentsize != sizeof(Elf64_Shdr)) return {};
  const std::uint64_t bytes = std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr);
  return read_records<Elf64_Shdr>(file, header.e_shoff, bytes);
}

}  // namespace

std::optional<BackendFile> backend_file(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  const std::size_t around = kPrefix.size() + 1 + kPinDigits + kSuffix.size();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.size() <= around) return {};
  const std::string pin = name.substr(name.size() - kSuffix.size() - kPinDigits, kPinDigits);
  const std::string backend = name.substr(kPrefix.size(), name.size() - around);
  const bool separated = name[kPrefix.size() + backend.size()] == '-';
  if (backend == "base" || !separated || !std::ranges::all_of(pin, is_digit_of_pin)) return {};
  return BackendFile{path, backend, pin};
}

std::vector<BackendFile> backend_files_in(const std::string& folder) {
  std::vector<BackendFile> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (auto file = backend_file(entry.path().string())) found.push_back(std::move(*file));
  }
  std::ranges::sort(found, {}, &BackendFile::path);
  return found;
}

std::vector<std::string> needed_libraries(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<Elf64_Shdr> sections = sections_of(file);
  std::vector<std::string> needed;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_DYNAMIC || section.sh_link >= sections.size()) continue;
    const Elf64_Shdr& table = sections[section.sh_link];
    const std::vector<char> texts = read_bytes(file, table.sh_offset, table.sh_size);
    for (const Elf64_Dyn& entry :
         read_records<Elf64_Dyn>(file, section.sh_offset, section.sh_size)) {
      if (entry.d_tag != DT_NEEDED || entry.d_un.d_val >= texts.size()) continue;
      const char* begin = texts.data() + entry.d_un.d_val;
      const char* end = std::find(begin, texts.data() + texts.size(), '\0');
      needed.emplace_back(begin, end);
    }
  }
  return needed;
}

}  // namespace infernode
