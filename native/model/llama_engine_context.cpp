#include "model/llama_engine_context.h"

#include <string>
#include <utility>

#include "model/host_limits.h"
#include "model/llama_context.h"
#include "model/llama_memory_sizes.h"
#include "model/memory_estimate.h"

namespace infernode {

namespace {

Error too_big_for_host(const ContextOptions& options, const MemoryNeeded& needed) {
  return {ErrorCode::kOutOfMemory,
          options.described() + " needs about " + in_mib(needed.host_bytes) +
              (needed.devices.empty() ? "; " : " of the host's memory; ") +
              in_mib(available_memory_bytes()) + " are available. Lower " +
              (options.cells > 0 ? "kvCells" : "slots") + " or contextLength."};
}

}  // namespace

std::string ContextOptions::described() const {
  return "A context of " + (cells > 0 ? std::to_string(cells) + " cells"
                                      : std::to_string(slots) + " slots with " +
                                            std::to_string(context_length) + " tokens each");
}

void check_context_room(const LlamaModel& model, const ContextOptions& options) {
  const MemoryNeeded needed = model.memory_needed(options.shape());
  check_context_fits(options.described(), needed, memory_room());
  const std::uint64_t available = available_memory_bytes();
  if (available > 0 && needed.host_bytes > available) throw too_big_for_host(options, needed);
}

// After a failed allocation the sums are checked again, since another process may have allocated
// memory meanwhile. If there is enough by all figures, llama.cpp's own message is reported.
ContextHandle make_engine_context(const LlamaModel& model, const ContextOptions& options) {
  MadeContext made =
      make_context(*model.handle(), context_params(options.shape(), options.threads));
  if (made.context != nullptr) return std::move(made.context);
  if (made.out_of_memory) check_context_room(model, options);
  refuse_context(made);
}

}  // namespace infernode
