// Opens the folder's files, merges their headers and reads tensors; see checkpoint_folder.h.
#include "checkpoint/checkpoint_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "checkpoint/folder_files.h"
#include "checkpoint/refuse.h"
#include "checkpoint/safetensors_header.h"
#include "checkpoint/shard_index.h"
#include "checkpoint/weight_files.h"

namespace infernode {

namespace {

constexpr std::size_t kBeginning = 1024;

std::string read_text(const OpenFile& file, std::uint64_t position, std::uint64_t bytes,
                      const std::string& what) {
  std::string text(bytes, '\0');
  file.read(position, std::as_writable_bytes(std::span(text)), what);
  return text;
}

std::vector<StoredTensor> read_header(const OpenFile& file, std::uint32_t number) {
  const std::string beginning =
      read_text(file, 0, std::min<std::uint64_t>(file.bytes(), kBeginning), "its beginning");
  const std::uint64_t length = safetensors_header_length(beginning, file.bytes(), file.path());
  const std::string header = read_text(file, kSafetensorsPrefix, length, "its header");
  return parse_safetensors_header(header, file.bytes(), file.path(), number);
}

std::optional<std::string> small_file(const FolderFiles& files, std::string_view name,
                                      std::size_t most_bytes) {
  const std::optional<OpenFile> file = files.open(name);
  if (!file) return std::nullopt;
  if (file->bytes() > most_bytes) {
    refuse_file(ErrorCode::kModelCorrupt, file->path(),
                "has " + std::to_string(file->bytes()) + " bytes, expected at most " +
                    std::to_string(most_bytes) + ".");
  }
  return read_text(*file, 0, file->bytes(), "it");
}

}  // namespace

struct CheckpointFolder::State {
  explicit State(const std::string& path) : files(path) {}

  FolderFiles files;
  bool has_content = true;
  std::vector<OpenFile> open;       // the files with weights
  std::vector<TensorFile> weights;  // the same, for callers
  std::vector<StoredTensor> tensors;

  void open_weights();
  void open_file(const std::string& name, const std::string& index);
  void merge();
  void compare(const ShardIndex& index, const std::string& index_path) const;
};

void CheckpointFolder::State::open_weights() {
  const WeightFiles found = find_weight_files(files.names(), files.path());
  if (found.index.empty()) {
    for (const std::string& name : found.files) open_file(name, "");
    merge();
    return;
  }
  const std::string index_path = files.path_of(found.index);
  const auto text = small_file(files, found.index, kMostIndexBytes);
  if (!text) refuse_file(ErrorCode::kModelUnreadable, index_path, "vanished while it was opened.");
  const ShardIndex index = parse_shard_index(*text, index_path);
  for (const std::string& name : index.files) open_file(name, found.index);
  merge();
  compare(index, index_path);
}

void CheckpointFolder::State::open_file(const std::string& name, const std::string& index) {
  std::optional<OpenFile> file = files.open(name);
  if (!file) {
    refuse_file(ErrorCode::kModelNotFound, files.path_of(name),
                index.empty() ? "vanished while it was opened."
                              : "does not exist, and " + printable(index) +
                                    " lists it; download the model again.");
  }
  const auto number = static_cast<std::uint32_t>(open.size());
  std::vector<StoredTensor> more = read_header(*file, number);
  if (tensors.size() + more.size() > kMostTensors) {
    refuse_file(ErrorCode::kModelCorrupt, files.path(),
                "has more than " + std::to_string(kMostTensors) + " tensors.");
  }
  std::ranges::move(more, std::back_inserter(tensors));
  weights.push_back({file->path(), file->bytes(), file->modified_ns()});
  open.push_back(std::move(*file));
}

void CheckpointFolder::State::merge() {
  std::ranges::stable_sort(tensors, {}, &StoredTensor::name);
  const auto twice = std::ranges::adjacent_find(tensors, {}, &StoredTensor::name);
  if (twice != tensors.end()) {
    refuse_file(ErrorCode::kModelCorrupt, weights[twice->file].path,
                "has tensor " + quoted_name(twice->name) + ", and " +
                    quoted_path(weights[std::next(twice)->file].path) + " has it too.");
  }
  if (tensors.empty()) {
    refuse_file(ErrorCode::kModelCorrupt, weights.front().path, "has no tensors.");
  }
}

// Both are sorted by name.
void CheckpointFolder::State::compare(const ShardIndex& index,
                                      const std::string& index_path) const {
  auto stored = tensors.begin();
  for (const auto& [name, file] : index.tensors) {
    if (stored != tensors.end() && stored->name < name) break;
    if (stored == tensors.end() || stored->name != name) {
      refuse_file(ErrorCode::kModelCorrupt, index_path,
                  "lists tensor " + quoted_name(name) + ", which " + printable(index.files[file]) +
                      " does not have; download the model again.");
    }
    if (stored->file != file) {
      refuse_file(ErrorCode::kModelCorrupt, index_path,
                  "says that tensor " + quoted_name(name) + " is in " +
                      printable(index.files[file]) + ", it is in " +
                      quoted_path(weights[stored->file].path) + ".");
    }
    ++stored;
  }
  if (stored == tensors.end()) return;
  refuse_file(ErrorCode::kModelCorrupt, weights[stored->file].path,
              "has tensor " + quoted_name(stored->name) + ", which " + quoted_path(index_path) +
                  " does not list; download the model again.");
}

CheckpointFolder CheckpointFolder::open(const std::string& path) {
  auto state = std::make_unique<State>(path);
  state->open_weights();
  return CheckpointFolder(std::move(state));
}

CheckpointFolder CheckpointFolder::open_headers(const std::string& path) {
  CheckpointFolder folder = open(path);
  folder.state_->has_content = false;
  return folder;
}

CheckpointFolder::CheckpointFolder(std::unique_ptr<State> state) : state_(std::move(state)) {}
CheckpointFolder::~CheckpointFolder() = default;
CheckpointFolder::CheckpointFolder(CheckpointFolder&&) noexcept = default;
CheckpointFolder& CheckpointFolder::operator=(CheckpointFolder&&) noexcept = default;

const std::string& CheckpointFolder::path() const { return state_->files.path(); }
bool CheckpointFolder::has_content() const { return state_->has_content; }
const std::vector<StoredTensor>& CheckpointFolder::tensors() const { return state_->tensors; }
const std::vector<TensorFile>& CheckpointFolder::files() const { return state_->weights; }

const StoredTensor* CheckpointFolder::find(std::string_view name) const {
  const auto& tensors = state_->tensors;
  const auto found = std::ranges::lower_bound(tensors, name, {}, &StoredTensor::name);
  return found == tensors.end() || found->name != name ? nullptr : &*found;
}

void CheckpointFolder::read(const StoredTensor& tensor, std::uint64_t offset,
                            std::span<std::byte> out) const {
  INFERNODE_CHECK(offset <= tensor.bytes && out.size() <= tensor.bytes - offset,
                  "a read goes beyond its tensor");
  state_->open[tensor.file].read(tensor.begin + offset, out, "tensor " + quoted_name(tensor.name));
}

std::optional<std::string> CheckpointFolder::text(std::string_view name,
                                                  std::size_t most_bytes) const {
  return small_file(state_->files, name, most_bytes);
}

std::optional<Json> CheckpointFolder::json(std::string_view name, std::size_t most_bytes) const {
  const std::optional<std::string> content = text(name, most_bytes);
  if (!content) return std::nullopt;
  Json value = parse_json(*content, quoted_path(label(name)));
  if (!value.is_object()) {
    refuse_file(ErrorCode::kModelCorrupt, label(name), "is not a JSON object.");
  }
  return value;
}

std::string CheckpointFolder::label(std::string_view name) const {
  return state_->files.path_of(name);
}

}  // namespace infernode
