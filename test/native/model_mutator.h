// Turns a good GGUF header and a seed into a damaged one: first on the level
// of keys and tensors (renamed, swapped, retyped, resized), then on the level
// of bytes (flips, interesting words, cuts). Deterministic: no clock, no
// global state. Any thread may call it.
#pragma once

#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "good_model.h"
#include "model_mutator_words.h"

struct Mutant {
  std::string header;
  std::uint64_t file_bytes = 0;  // as many as the good file's, unless cut
};

class Mutator {
 public:
  Mutator(GgufBytes parts, std::uint64_t seed) : parts_(std::move(parts)), random_(seed) {}

  Mutant mutate(std::uint64_t weight_bytes) {
    const bool structural = chance(65);
    if (structural) {
      for (std::uint64_t edits = 1 + below(3); edits > 0; --edits) edit_structure();
    }
    Mutant mutant{parts_.header(), 0};
    if (!structural || chance(15)) {
      for (std::uint64_t edits = 1 + below(4); edits > 0; --edits) edit_bytes(mutant.header);
    }
    mutant.file_bytes = (mutant.header.size() + 31) / 32 * 32 + weight_bytes;
    if (chance(8))
      mutant.file_bytes = below(chance(50) ? mutant.header.size() + 64 : mutant.file_bytes);
    return mutant;
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : random_() % limit; }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  template <typename Item>
  Item& one_of(std::vector<Item>& items) {
    return items[below(items.size())];
  }

  std::uint64_t interesting() { return kInterestingNumbers[below(kInterestingNumbers.size())]; }

  void edit_structure() {
    switch (below(11)) {
      case 0:
        one_of(parts_.keys).name = one_of(parts_.keys).name;
        break;  // doubled or renamed
      case 1:
        parts_.keys.erase(parts_.keys.begin() +
                          static_cast<std::ptrdiff_t>(below(parts_.keys.size())));
        break;
      case 2:
        std::swap(one_of(parts_.keys).typed_value, one_of(parts_.keys).typed_value);
        break;
      case 3:
        retype_key();
        break;
      case 4:
      case 5:
        renumber_key();
        break;
      case 6:
        resize_array();
        break;
      case 7:
        change_architecture();
        break;
      case 8:
        add_key();
        break;
      case 9:
        change_tensor();
        break;
      case 10:
        change_items();
        break;
    }
  }

  void retype_key() {
    one_of(parts_.keys)
        .typed_value.replace(
            0, 4, GgufBytes::number<std::uint32_t>(static_cast<std::uint32_t>(below(14))));
  }

  // A key with a small value gets another one of its own type.
  void renumber_key() {
    for (int tries = 0; tries < 8; ++tries) {
      GgufBytes::Key& key = one_of(parts_.keys);
      if (key.typed_value.size() > 12 || key.typed_value[0] == 8) continue;
      const std::string value = GgufBytes::number(interesting());
      const std::size_t size = key.typed_value.size() - 4;
      key.typed_value.replace(4, size, value.substr(0, size));
      return;
    }
  }

  // Length claims and real lengths: strings and arrays cut, doubled, emptied.
  void resize_array() {
    for (int tries = 0; tries < 8; ++tries) {
      std::string& value = one_of(parts_.keys).typed_value;
      if (value[0] != 8 && value[0] != 9) continue;
      const std::size_t at = value[0] == 9 ? 8 : 4;
      std::uint64_t length;
      std::memcpy(&length, value.data() + at, 8);
      const std::uint64_t choices[] = {length + 1, length - 1, length * 2,   length / 2,
                                       0,          1,          interesting()};
      value.replace(at, 8, GgufBytes::number(choices[below(7)]));
      if (value[0] == 9 && value[4] != 8 && chance(50)) fit_numbers(value);
      return;
    }
  }

  // Makes the items of a numeric array as many as it claims, where that is few.
  static void fit_numbers(std::string& value) {
    constexpr std::uint64_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    std::uint64_t length;
    std::memcpy(&length, value.data() + 8, 8);
    const auto type = static_cast<std::uint8_t>(value[4]);
    if (type < 13 && length < 1u << 20) value.resize(16 + length * kBytes[type]);
  }

  void change_architecture() {
    const std::string& to = kArchitectures[below(kArchitectures.size())];
    for (GgufBytes::Key& key : parts_.keys) {
      if (key.name == "general.architecture") {
        from_ = key.typed_value.size() > 12 ? key.typed_value.substr(12) : "";
        key.typed_value = GgufBytes::number<std::uint32_t>(8) + GgufBytes::text(to);
      }
    }
    for (GgufBytes::Key& key : parts_.keys) {
      if (!from_.empty() && key.name.starts_with(from_ + "."))
        key.name.replace(0, from_.size(), to);
    }
    from_ = to;
  }

  // A key this file lacks but llama.cpp reads.
  void add_key() {
    const std::string name = chance(70)
                                 ? from_ + "." + kHyperparameters[below(kHyperparameters.size())]
                                 : kOtherKeys[below(kOtherKeys.size())];
    switch (below(6)) {
      case 0:
        parts_.string(name, kValues[below(kValues.size())]);
        break;
      case 1:
        parts_.flag(name, chance(50));
        break;
      case 2:
        parts_.f32(name, static_cast<float>(static_cast<double>(below(100)) - 20));
        break;
      case 3:
        parts_.numbers<std::int32_t>(name, 5, {1, static_cast<std::int32_t>(interesting()), 0, 2});
        break;
      default:
        parts_.u32(name, static_cast<std::uint32_t>(chance(60) ? below(9) : interesting()));
        break;
    }
  }

  void change_tensor() {
    GgufBytes::Tensor& tensor = one_of(parts_.tensors);
    switch (below(6)) {
      case 0:
        tensor.name = one_of(parts_.tensors).name;
        break;
      case 1:
        tensor.type = static_cast<std::uint32_t>(below(44));
        break;
      case 2:
        if (!tensor.shape.empty()) tensor.shape[below(tensor.shape.size())] = interesting();
        break;
      case 3:
        std::swap(tensor.shape, one_of(parts_.tensors).shape);
        break;
      case 4:
        tensor.bytes = interesting();
        break;
      case 5:
        std::swap(tensor, one_of(parts_.tensors));
        break;
    }
  }

  // Items of a long array: numbers in it changed, or texts made equal.
  void change_items() {
    for (int tries = 0; tries < 8; ++tries) {
      std::string& value = one_of(parts_.keys).typed_value;
      if (value[0] != 9 || value.size() < 64) continue;
      for (std::uint64_t edits = 1 + below(8); edits > 0; --edits) {
        const std::size_t at = 16 + below(value.size() - 24);
        if (chance(50))
          value.replace(at, 4, GgufBytes::number(static_cast<std::uint32_t>(interesting())));
        else
          value[at] = static_cast<char>(random_());
      }
      return;
    }
  }

  void edit_bytes(std::string& bytes) {
    // The keys before the token list and the tensors after it matter most.
    const std::size_t edge = std::min<std::size_t>(bytes.size(), 2048);
    const std::size_t at = chance(70) ? (chance(60) ? below(edge) : bytes.size() - 1 - below(edge))
                                      : below(bytes.size());
    switch (below(5)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(random_());
        break;
      case 2:
        bytes.replace(at, 4, GgufBytes::number(static_cast<std::uint32_t>(interesting())));
        break;
      case 3:
        bytes.replace(at, 8, GgufBytes::number(interesting()));
        break;
      case 4:
        bytes.erase(at, 1 + below(16));
        break;
    }
  }

  GgufBytes parts_;
  std::mt19937_64 random_;
  std::string from_ = "llama";
};

inline Mutant mutate(const GoodModel& good, std::uint64_t seed) {
  return Mutator(good.parts, seed).mutate(good.weight_bytes);
}

inline bool write_mutant(const GoodModel& good, std::uint64_t seed, const std::string& path) {
  const Mutant mutant = mutate(good, seed);
  std::string bytes = mutant.header;
  bytes.resize(mutant.file_bytes);
  return static_cast<bool>(std::ofstream(path, std::ios::binary) << bytes);
}
