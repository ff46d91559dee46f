#include "model/llama_context.h"

#include <algorithm>

#include "core/types.h"
#include "model/gguf_text.h"
#include "model/llama_abort.h"
#include "model/llama_log.h"

namespace infernode {

namespace {

ggml_type ggml_type_of(KvType type) {
  switch (type) {
    case KvType::kF16:
      return GGML_TYPE_F16;
    case KvType::kF32:
      return GGML_TYPE_F32;
    case KvType::kBF16:
      return GGML_TYPE_BF16;
    case KvType::kQ8_0:
      return GGML_TYPE_Q8_0;
    case KvType::kQ4_0:
      return GGML_TYPE_Q4_0;
  }
  return GGML_TYPE_F16;
}

// llama.cpp pads each sequence's share of the cells to a multiple of this.
std::uint32_t padded(std::int32_t cells) {
  return (static_cast<std::uint32_t>(cells) + 255U) / 256U * 256U;
}

}  // namespace

llama_context_params context_params(const EngineShape& shape, std::int32_t threads) {
  llama_context_params params = llama_context_default_params();
  const bool unified = shape.cells > 0;
  params.n_ctx = unified ? padded(shape.cells)
                         : padded(shape.context_length) * static_cast<std::uint32_t>(shape.slots);
  params.n_batch = static_cast<std::uint32_t>(most_rows(shape));
  params.n_ubatch = params.n_batch;
  const std::int32_t idle = unified ? idle_sequences(shape.slots) : 0;
  params.n_seq_max = static_cast<std::uint32_t>(shape.slots + idle);
  const auto outputs = static_cast<std::uint32_t>(most_outputs(shape));
  params.n_outputs_max = std::max(outputs, params.n_seq_max);  // required by llama.cpp
  params.n_outputs_max_per_seq = shape.speculation ? outputs : 1;
  params.n_threads = threads;
  params.n_threads_batch = threads;
  params.flash_attn_type =
      shape.flash_attention ? LLAMA_FLASH_ATTN_TYPE_AUTO : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.type_k = ggml_type_of(shape.kv_type);
  params.type_v = ggml_type_of(shape.kv_type);
  params.offload_kqv = shape.kv_offload;
  params.pooling_type = LLAMA_POOLING_TYPE_NONE;  // rows unpooled; the engine takes the last one
  params.kv_unified = unified;
  params.swa_full = shape.whole_windows;
  params.no_perf = false;  // enables the count of reused graphs
  return params;
}

MadeContext make_context(llama_model& model, const llama_context_params& params) {
  const LlamaLogCapture capture;
  const LlamaAbortGuard guard;  // ggml's assertions become exceptions here
  MadeContext made;
  try {
    made.context.reset(llama_init_from_model(&model, params));
    if (made.context != nullptr) return made;
    made.refusal = capture.errors().empty() ? "no reason given" : capture.errors().front();
  } catch (const LlamaAborted& aborted) {
    made.refusal = aborted.what();
  }
  made.out_of_memory =
      reports_out_of_memory(capture.errors()) || reports_out_of_memory({&made.refusal, 1});
  return made;
}

void refuse_context(const MadeContext& made) {
  const std::string refusal = printable(made.refusal, 240);
  if (made.out_of_memory) {
    throw Error(ErrorCode::kOutOfMemory, "There is too little memory for a context: " + refusal +
                                             "; lower slots or contextLength.");
  }
  throw Error(ErrorCode::kInvalidOption, "llama.cpp cannot make a context with these options: " +
                                             refusal + "; change kvType or flashAttention.");
}

}  // namespace infernode
