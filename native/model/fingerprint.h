// Identifies a model file without reading all of it: a hash of its size, its header and samples of
// its weights. Used to match files that belong to a model, such as saved states; not a defence
// against a file crafted to collide.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace infernode {

// 16 hexadecimal digits; "" if the file cannot be read or is nullptr. Blocks on the disk for the
// header and a quarter of a mebibyte.
std::string model_fingerprint(std::FILE* file, std::uint64_t file_bytes,
                              std::uint64_t header_bytes);

}  // namespace infernode
