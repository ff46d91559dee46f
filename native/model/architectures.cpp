#include "model/architectures.h"

#include <algorithm>

namespace infernode {

namespace {

constexpr std::string_view kNames[] = {
#include "llama_architectures.inc"
};

}  // namespace

bool known_architecture(std::string_view name) {
  return std::ranges::find(kNames, name) != std::end(kNames);
}

}  // namespace infernode
