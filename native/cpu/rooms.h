// What the threads of a product keep, and how they divide a batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace infernode_panels {

// Groups of batch rows of almost equal size, none larger than the registers allow.
struct Groups {
  std::int64_t count, each, larger;  // the first `larger` groups have one row more

  Groups(std::int64_t columns, std::int64_t most)
      : count((columns + most - 1) / most), each(columns / count), larger(columns % count) {}
  std::int64_t begin(std::int64_t group) const { return group * each + std::min(group, larger); }
  std::int64_t size(std::int64_t group) const { return each + (group < larger ? 1 : 0); }
};

// A buffer that grows.
template <typename Item>
struct Room {
  std::unique_ptr<Item[]> items;
  std::int64_t size = 0;

  Item* hold(std::int64_t count) {
    if (count > size) {
      items.reset(new Item[static_cast<std::size_t>(count)]);
      size = count;
    }
    return items.get();
  }
};

}  // namespace infernode_panels
