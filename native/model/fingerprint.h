// Tells one model file from another without reading all of it: a hash of its
// size, its header and pieces of its weights. For files that belong to a model,
// such as saved states; no defence against who makes two files alike.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace infernode {

// 16 hexadecimal digits; "" when the file (nullptr: there is none) cannot be
// read. Blocks on the disk for the header and a quarter of a mebibyte.
std::string model_fingerprint(std::FILE* file, std::uint64_t file_bytes,
                              std::uint64_t header_bytes);

}  // namespace infernode
