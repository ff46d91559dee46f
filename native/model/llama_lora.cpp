#include "model/llama_lora.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <tuple>

#include "llama.h"
#include "model/gguf_text.h"
#include "model/host_limits.h"
#include "model/llama_abort.h"
#include "model/llama_log.h"
#include "model/memory_estimate.h"
#include "model/page_cache.h"

namespace infernode {

namespace {

// Types that ggml multiplies on every device; others would abort a pass.
constexpr std::array<std::string_view, 4> kTypes = {"f32", "f16", "bf16", "q8_0"};

[[noreturn]] void refuse(const GgufFile& file, const std::string& why) {
  throw Error(ErrorCode::kModelLoadFailed,
              quoted_path(file.label()) + " is not a LoRA adapter of this model: " + why + ".");
}

void check_tensor(const GgufFile& file, const GgufTensor& tensor) {
  if (std::ranges::find(kTypes, tensor.type_name) == kTypes.end()) {
    refuse(file, "its tensor " + printable(tensor.name, 80) + " has type " +
                     std::string(tensor.type_name) + ", adapters have f32, f16, bf16 or q8_0");
  }
}

// Checks everything that llama.cpp trusts blindly.
void check_rules(const GgufFile& file, const LlamaModel& model) {
  if (file.string("general.type") != "adapter" || file.string("adapter.type") != "lora")
    refuse(file, "its general.type and adapter.type must be \"adapter\" and \"lora\"");
  const std::string_view architecture = file.string("general.architecture");
  if (architecture != model.info().architecture) {
    refuse(file, "it is for the architecture \"" + printable(architecture, 60) +
                     "\", the model's is \"" + model.info().architecture + "\"");
  }
  if (file.find("adapter.alora.invocation_tokens") != nullptr)
    refuse(file, "it works from certain tokens on (aLoRA), which is not supported");
  const GgufValue* alpha = file.find("adapter.lora.alpha");
  const auto* value = alpha == nullptr ? nullptr : std::get_if<double>(&alpha->value);
  if (value == nullptr || !std::isfinite(*value))
    refuse(file, "its adapter.lora.alpha must be a number");
  if (file.tensors().empty()) refuse(file, "it has no tensors");
  for (const GgufTensor& tensor : file.tensors()) check_tensor(file, tensor);
}

// An adapter's weights are copied to host memory, or to the GPU that holds the matrix they modify.
void check_room(const GgufFile& file) {
  const std::uint64_t available = available_memory_bytes();
  if (available == 0 || file.weight_bytes() <= available) return;
  throw Error(ErrorCode::kOutOfMemory, quoted_path(file.label()) + " needs " +
                                           in_mib(file.weight_bytes()) + ", " + in_mib(available) +
                                           " are free; load fewer adapters.");
}

}  // namespace

void LoraDeleter::operator()(llama_adapter_lora* adapter) const {
  const std::lock_guard lock(model->adapter_mutex());
  llama_adapter_lora_free(adapter);
}

Lora load_lora(const LlamaModel& model, const LoraOptions& options) {
  const GgufFile file = GgufFile::read(options.path);
  check_rules(file, model);
  check_room(file);
  // Reading the file ahead keeps others from waiting for the disk under the lock.
  std::ignore = warm_page_cache(options.path, [](std::uint64_t) { return true; });  // never stopped
  const LlamaLogCapture capture;
  const LlamaAbortGuard guard;
  const std::lock_guard lock(model.adapter_mutex());
  Lora lora(llama_adapter_lora_init(model.handle(), options.path.c_str()), LoraDeleter{&model});
  if (lora == nullptr) {
    const std::string reason =
        capture.errors().empty() ? "no reason given" : capture.errors().back();
    if (reports_out_of_memory(capture.errors())) {
      throw Error(ErrorCode::kOutOfMemory, quoted_path(file.label()) + " did not fit: " +
                                               printable(reason, 240) + "; load fewer adapters.");
    }
    refuse(file, printable(reason, 240));
  }
  return lora;
}

void use_loras(llama_context& context, const std::vector<Lora>& loras, AdapterScales scales) {
  INFERNODE_CHECK(scales.size() == loras.size(), "there are not as many scales as adapters");
  std::vector<llama_adapter_lora*> adapters;
  for (const Lora& lora : loras) adapters.push_back(lora.get());
  if (!adapters.empty())
    llama_set_adapters_lora(&context, adapters.data(), adapters.size(), scales.data());
}

}  // namespace infernode
