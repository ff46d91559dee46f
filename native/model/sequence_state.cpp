#include "model/sequence_state.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace infernode {

namespace {

constexpr std::uint64_t kExtensionBytes = 12;  // llama_kv_cell_ext: x, y, token

// Properties that the bytes do not declare, so every combination is tried.
struct Variant {
  bool extended;    // cells have two-dimensional positions, or store their token
  bool has_values;  // false: values are stored with the keys
};

// Reads from the front; once past the end it stays in the failed state.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  template <typename Number>
  Number number() {
    Number value{};
    const std::span<const std::uint8_t> bytes = rest_;
    if (skip(1, sizeof value)) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  bool skip(std::uint64_t count, std::uint64_t size) {
    failed_ = failed_ || (count > 0 && size > rest_.size() / count);
    if (!failed_) rest_ = rest_.subspan(static_cast<std::size_t>(count * size));
    return !failed_;
  }
  bool failed() const { return failed_; }
  bool at_end() const { return !failed_ && rest_.empty(); }

 private:
  std::span<const std::uint8_t> rest_;
  bool failed_ = false;
};

// Per cell: [position, sequences: 1, extension?, sequence]. Every position at most once, and the
// last token's must be among them.
bool read_cells(Reader& reader, std::uint32_t count, Position tokens, bool extended) {
  std::vector<bool> seen(static_cast<std::size_t>(tokens));
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto position = reader.number<std::int32_t>();
    if (reader.number<std::uint32_t>() != 1 || position < 0 || position >= tokens) return false;
    if (!reader.skip(1, (extended ? kExtensionBytes : 0) + sizeof(std::int32_t))) return false;
    const auto index = static_cast<std::size_t>(position);
    if (seen[index]) return false;
    seen[index] = true;
  }
  return seen.back();
}

// Keys of all layers, then values, row by row or transposed.
bool read_layers(Reader& reader, std::uint32_t cells, bool has_values) {
  const bool transposed = reader.number<std::uint32_t>() != 0;
  const auto layers = reader.number<std::uint32_t>();
  const auto rows = [&] {
    reader.number<std::int32_t>();  // type
    return reader.skip(cells, reader.number<std::uint64_t>());
  };
  const auto columns = [&] {
    reader.number<std::int32_t>();
    const std::uint64_t size = reader.number<std::uint32_t>();
    return reader.skip(cells, size * reader.number<std::uint32_t>());
  };
  for (std::uint32_t layer = 0; layer < layers; ++layer)
    if (!rows()) return false;
  for (std::uint32_t layer = 0; has_values && layer < layers; ++layer)
    if (transposed ? !columns() : !rows()) return false;
  return !reader.failed();
}

// [streams, then for each stream: cells and, if there are any, their positions and layers]
bool read_attention(Reader& reader, const SequenceForm& form, Position tokens, bool whole,
                    Variant variant) {
  if (reader.number<std::uint32_t>() != form.streams) return false;
  bool found = false;
  for (std::uint32_t stream = 0; stream < form.streams; ++stream) {
    const auto cells = reader.number<std::uint32_t>();
    if (cells == 0) continue;
    const auto most = static_cast<std::uint32_t>(tokens);
    if (found || cells > most || (whole && cells != most)) return false;
    found = true;
    if (!read_cells(reader, cells, tokens, variant.extended)) return false;
    if (!read_layers(reader, cells, variant.has_values)) return false;
  }
  return found && !reader.failed();
}

// One cell, for the last token. The remaining bytes have sizes that depend on the model.
bool starts_recurrent(Reader reader, Position tokens) {
  const auto cells = reader.number<std::uint32_t>();
  const auto position = reader.number<std::int32_t>();
  const auto sequences = reader.number<std::uint32_t>();
  return !reader.failed() && cells == 1 && position == tokens - 1 && sequences == 0;
}

bool has_form(Reader reader, const SequenceForm& form, Position tokens, Variant variant) {
  const bool recurs = form.kind == CacheKind::kHybrid;
  bool whole = !recurs;
  do {
    if (!read_attention(reader, form, tokens, whole, variant)) return false;
    if (recurs && starts_recurrent(reader, tokens)) return true;
    whole = form.kind == CacheKind::kFull;
  } while (!reader.failed() && !reader.at_end());
  return !recurs;
}

}  // namespace

bool has_sequence_form(std::span<const std::uint8_t> state, const SequenceForm& form,
                       Position tokens) {
  if (form.kind == CacheKind::kOwn) return true;
  Reader reader(state);
  reader.skip(2, sizeof(std::uint32_t));  // magic, sequence
  if (reader.failed() || tokens < 1) return false;
  if (form.kind == CacheKind::kRecurrent) return starts_recurrent(reader, tokens);
  constexpr std::array<Variant, 4> kVariants = {
      Variant{false, true}, {true, true}, {false, false}, {true, false}};
  return std::ranges::any_of(
      kVariants, [&](Variant variant) { return has_form(reader, form, tokens, variant); });
}

}  // namespace infernode
