#include "model/llama_context_sizer.h"

#include <algorithm>
#include <cmath>

#include "model/llama_context.h"
#include "model/llama_memory_sizes.h"

namespace infernode {

namespace {

constexpr std::uint64_t kAffordable = 64ull << 20;
constexpr std::uint64_t kRecordBytes = 64;  // llama_kv_cells, per cell
constexpr std::int32_t kMostCells = static_cast<std::int32_t>(kAffordable / kRecordBytes);

// A model loaded without weights, and where its layers are.
struct Placed {
  llama_model& model;
  const Placement& placement;

  [[nodiscard]] std::uint64_t logits_row() const {
    const auto tokens = llama_vocab_n_tokens(llama_model_get_vocab(&model));
    return static_cast<std::uint64_t>(tokens) * sizeof(float);
  }
  // llama.cpp puts the last layers on devices, beginning with the output layer.
  [[nodiscard]] bool outputs_on_device() const { return placement.uses_devices(); }
};

// One context of this shape, as llama.cpp sizes it.
MemoryNeeded measure(const Placed& placed, const EngineShape& shape) {
  const llama_context_params params = context_params(shape, 1);
  const MadeContext made = make_context(placed.model, params);
  if (made.context == nullptr) refuse_context(made);
  MemoryNeeded needed = context_memory(*made.context, placed.placement);
  const std::uint64_t logits = params.n_outputs_max * placed.logits_row();
  needed.compute_bytes += logits;
  needed.host_bytes += logits;
  return needed;
}

// Both have the same placement, hence the same devices.
template <typename Combine>
MemoryNeeded combined(const MemoryNeeded& a, const MemoryNeeded& b, Combine combine) {
  MemoryNeeded all;
  all.kv_bytes = combine(a.kv_bytes, b.kv_bytes);
  all.compute_bytes = combine(a.compute_bytes, b.compute_bytes);
  all.host_bytes = combine(a.host_bytes, b.host_bytes);
  for (std::size_t i = 0; i < a.devices.size(); ++i) {
    const DeviceMemory& one = a.devices[i];
    const DeviceMemory& other = b.devices[i];
    all.devices.push_back(
        {one.name, 0, combine(one.kv, other.kv), combine(one.compute, other.compute)});
  }
  return all;
}

MemoryNeeded scaled(const MemoryNeeded& needed, double factor) {
  return combined(needed, needed, [factor](std::uint64_t bytes, std::uint64_t) {
    return static_cast<std::uint64_t>(std::ceil(static_cast<double>(bytes) * factor));
  });
}

std::uint64_t computed_on_devices(const MemoryNeeded& needed) {
  std::uint64_t bytes = 0;
  for (const DeviceMemory& device : needed.devices) bytes += device.compute;
  return bytes;
}

// A device rounds its buffers up, and the graph of a step may be laid out slightly wider than the
// one a dry run measures: with this margin an estimate is never too low.
constexpr std::uint64_t kAlignment = std::uint64_t{64} << 10;

MemoryNeeded with_alignment(MemoryNeeded needed) {
  for (DeviceMemory& device : needed.devices) {
    if (device.compute == 0) continue;
    device.compute += kAlignment;
    needed.compute_bytes += kAlignment;
  }
  return needed;
}

class ContextSizer {
 public:
  explicit ContextSizer(const Placed& placed) : placed_(placed) {}

  MemoryNeeded size(const EngineShape& shape) const {
    EngineShape shorter = shape;
    std::int32_t& cells = shape.cells > 0 ? shorter.cells : shorter.context_length;
    if (cells <= kMostCells) return size_affordable(shape);
    const double factor = static_cast<double>(cells) / kMostCells;
    cells = kMostCells;
    return scaled(size_affordable(shorter), factor);
  }

 private:
  MemoryNeeded with_slots(EngineShape shape, std::int32_t slots) const {
    shape.slots = slots;
    return measure(placed_, shape);
  }

  // The graph of one sequence may need more than that of several, in each place: llama.cpp reserves
  // both for models with recurrent states, and a dry run counts only the latter.
  MemoryNeeded size_affordable(const EngineShape& shape) const {
    const bool stateful =
        llama_model_is_recurrent(&placed_.model) || llama_model_is_hybrid(&placed_.model);
    if (!stateful) return size_slots(shape, 0);
    const MemoryNeeded one = with_slots(shape, 1);
    MemoryNeeded all = size_slots(shape, state_bytes(shape));
    for (std::size_t i = 0; i < all.devices.size(); ++i) {
      DeviceMemory& device = all.devices[i];
      const std::uint64_t more =
          one.devices[i].compute - std::min(one.devices[i].compute, device.compute);
      device.compute += more;
      all.compute_bytes += more;
    }
    return at_least(all, one.compute_bytes - computed_on_devices(one) + computed_on_devices(all));
  }

  // For one sequence, with as few positions as possible.
  std::uint64_t state_bytes(EngineShape shape) const {
    (shape.cells > 0 ? shape.cells : shape.context_length) = 1;
    return with_slots(shape, 1).kv_bytes;
  }

  // Each slot beyond those that can be measured is assumed to need as much as the last ones did.
  MemoryNeeded size_slots(const EngineShape& shape, std::uint64_t state) const {
    const std::uint64_t cells =
        static_cast<std::uint64_t>(shape.cells > 0 ? 0 : shape.context_length);
    const std::uint64_t each =
        std::max<std::uint64_t>(1, state + placed_.logits_row() + cells * kRecordBytes);
    const auto most = static_cast<std::int32_t>(std::max<std::uint64_t>(1, kAffordable / each));
    if (most >= shape.slots) return measure(placed_, shape);
    const MemoryNeeded some = with_slots(shape, most);
    if (most == 1) return scaled(some, shape.slots);
    const MemoryNeeded fewer = with_slots(shape, most / 2);
    const std::int32_t between = most - most / 2;
    const double beyond = static_cast<double>(shape.slots - most) / static_cast<double>(between);
    const MemoryNeeded all =
        combined(some, fewer, [beyond](std::uint64_t more, std::uint64_t less) {
          const auto step = static_cast<double>(more - std::min(more, less));
          return more + static_cast<std::uint64_t>(step * beyond);
        });
    // From some number of slots on, the graph's logits become its largest buffer.
    return at_least(all, 2 * static_cast<std::uint64_t>(shape.slots) * placed_.logits_row());
  }

  // The missing part is added where the last layers are, whose output the logits are.
  [[nodiscard]] MemoryNeeded at_least(MemoryNeeded needed, std::uint64_t compute_bytes) const {
    const std::uint64_t more = compute_bytes - std::min(compute_bytes, needed.compute_bytes);
    needed.compute_bytes += more;
    if (placed_.outputs_on_device()) {
      needed.devices.back().compute += more;
    } else {
      needed.host_bytes += more;
    }
    return needed;
  }

  const Placed placed_;
};

}  // namespace

MemoryNeeded size_context(llama_model& model, const Placement& placement,
                          const EngineShape& shape) {
  return with_alignment(ContextSizer({model, placement}).size(shape));
}

}  // namespace infernode
