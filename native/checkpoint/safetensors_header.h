// The JSON header of one safetensors file as a list of tensors, every field and range validated
// against the size of the file. Refuses headers whose tensors do not cover the data completely.
// Memory stays within a small multiple of the header. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint_folder.h"

namespace infernode {

constexpr std::uint64_t kSafetensorsPrefix = 8;  // bytes of the header's length
constexpr std::uint64_t kMostSafetensorsHeader = 100'000'000;
constexpr std::size_t kMostTensors = 1'000'000;

// The header's length, stored in the first eight bytes of a file of `file_bytes` bytes; `beginning`
// is the first kilobyte of the file, or all of it. For other kinds of files the error says what the
// file is. Throws Error.
std::uint64_t safetensors_header_length(std::string_view beginning, std::uint64_t file_bytes,
                                        const std::string& path);

// `header` without the preceding length. The resulting offsets are relative to the file; `file` is
// stored in each tensor. Throws Error(kModelCorrupt) and Error(kModelTruncated).
std::vector<StoredTensor> parse_safetensors_header(std::string_view header,
                                                   std::uint64_t file_bytes,
                                                   const std::string& path, std::uint32_t file);

}  // namespace infernode
