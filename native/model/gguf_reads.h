// Reads a byte range of a GGUF file that exists only virtually: the header from memory, each tensor
// through a callback for the part that the range covers, zeros for the padding between tensors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <ranges>
#include <span>
#include <string_view>

namespace infernode {

// Fills `out` with the file's bytes from `position` on, all inside the file of `size` bytes.
// `tensors` is sorted by `begin`, each tensor's first byte in the file; `bytes` is its length.
// read_tensor(tensor, within, part) fills `part` with the tensor's bytes from `within` on.
template <std::ranges::random_access_range Tensors, typename ReadTensor>
void read_placed(std::string_view header, Tensors& tensors, std::uint64_t size,
                 std::uint64_t position, std::span<char> out, ReadTensor read_tensor) {
  using Tensor = std::ranges::range_value_t<Tensors>;
  if (position < header.size()) {
    const std::size_t count = std::min<std::size_t>(out.size(), header.size() - position);
    std::memcpy(out.data(), header.data() + position, count);
    position += count;
    out = out.subspan(count);
  }
  const auto after = std::ranges::upper_bound(tensors, position, {}, &Tensor::begin);
  for (auto tensor = after == tensors.begin() ? after : after - 1;
       !out.empty() && tensor != tensors.end(); ++tensor) {
    // [begin | within | part of it | rest of the tensor | padding | the next tensor's begin]
    const std::uint64_t within = position - tensor->begin;
    const std::uint64_t left = tensor->bytes - std::min(within, tensor->bytes);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, out.size()));
    if (count > 0) read_tensor(*tensor, within, out.first(count));
    const std::uint64_t end = tensor + 1 == tensors.end() ? size : tensor[1].begin;
    const auto padding =
        std::min(out.size() - count, static_cast<std::size_t>(end - position - count));
    std::memset(out.data() + count, 0, padding);
    position += count + padding;
    out = out.subspan(count + padding);
  }
}

}  // namespace infernode
