#include "model/llama_backend.h"

#include <algorithm>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "llama.h"
#include "model/cache_kind.h"
#include "model/host_limits.h"
#include "model/llama_abort.h"
#include "model/llama_context.h"
#include "model/llama_engine_context.h"
#include "model/llama_facts.h"
#include "model/llama_log.h"
#include "model/llama_lost.h"
#include "model/llama_rows.h"
#include "model/llama_threads.h"
#include "model/sequence_state.h"

namespace infernode {

namespace {

// The status of a llama_decode() call. On the CPU a graph fails if it was interrupted, otherwise
// for lack of memory.
DecodeStatus status_of_code(std::int32_t code, bool on_devices) {
  switch (code) {
    case 0:
      return DecodeStatus::kOk;
    case 1:
      return DecodeStatus::kNoRoom;
    case -1:
      return DecodeStatus::kInvalid;
    case -2:
      return DecodeStatus::kNoMemory;
    case -3:
      return on_devices ? DecodeStatus::kDeviceFailed : DecodeStatus::kFailed;
    default:
      return DecodeStatus::kFailed;
  }
}

}  // namespace

LlamaBackend::LlamaBackend(std::shared_ptr<const LlamaModel> model, const ContextOptions& options,
                           const LlamaBackend* shares_threads_with)
    : model_(std::move(model)) {
  if (options.slots < 1 ||
      options.slots > static_cast<std::int32_t>(llama_max_parallel_sequences())) {
    throw Error(ErrorCode::kInvalidOption, "slots must be 1 to " +
                                               std::to_string(llama_max_parallel_sequences()) +
                                               ", got " + std::to_string(options.slots) + ".");
  }
  if (options.cells > 0 && cache_kind(model_->info()) != CacheKind::kFull) {
    throw Error(ErrorCode::kInvalidOption,
                "kvLayout \"unified\" is for models whose layers keep every position.");
  }
  check_context_room(*model_, options);
  for (const LoraOptions& lora : options.loras) loras_.push_back(load_lora(*model_, lora));
  {
    const std::shared_lock counting(model_->adapter_mutex());
    context_ = make_engine_context(*model_, options);
  }
  for (const LoraOptions& lora : options.loras) own_scales_.push_back(lora.scale);
  LlamaBackend::use_adapters({});
  set_limits(options);
  rows_ = std::make_unique<LlamaRows>(static_cast<std::size_t>(limits_.prefill_capacity));
  const auto stop = [](void* flag) {
    return static_cast<std::atomic<bool>*>(flag)->load(std::memory_order_relaxed);
  };
  llama_set_abort_callback(context_.get(), stop, &interrupted_);
  threads_ = std::make_unique<LlamaThreads>(
      *context_, *model_, options.threads,
      shares_threads_with == nullptr ? nullptr : shares_threads_with->threads_.get());
  // Where a part is computed on the CPU, llama_decode returns when that part has ended.
  limits_.facts.asynchronous =
      !threads_->on_cpu() && options.kv_offload && all_asynchronous(*model_);
  return_freed_memory();
}

void LlamaBackend::set_limits(const ContextOptions& options) {
  const std::int32_t batch = most_rows(options.shape());
  on_devices_ = !model_->weight_memory().devices.empty();
  limits_.slots = options.slots;
  limits_.unified = options.cells > 0;
  limits_.rectangular = !limits_.unified;
  limits_.cells = options.cells;
  limits_.idle_sequences = limits_.unified ? idle_sequences(options.slots) : 0;
  limits_.context_length = options.context_length;
  limits_.trained_length = model_->info().context_length;
  limits_.prefill_capacity = batch;
  limits_.prefill_outputs = most_outputs(options.shape());
  limits_.vocabulary_size = model_->vocab().size();
  limits_.facts = backend_facts(*model_, options.flash_attention);
  const CacheKind kind = cache_kind(model_->info());
  limits_.can_truncate = kind == CacheKind::kFull;
  limits_.rolls_back = limits_.can_truncate || kind == CacheKind::kWindow;
  if (kind == CacheKind::kWindow) window_ = model_->info().sliding_window;
  if (window_ > 0) limits_.slack = options.whole_windows ? options.context_length : batch;
}

LlamaBackend::~LlamaBackend() {
  if (lost_) leak({model_, threads_->pools(), std::move(context_)});
}

void LlamaBackend::interrupt() {
  interrupted_.store(true, std::memory_order_relaxed);
  threads_->wake();
}

// Whether llama_decode would take these rows: for others it aborts the process or returns -1.
bool LlamaBackend::acceptable(const PassRows& pass) const {
  const auto count = static_cast<std::int32_t>(pass.rows.size());
  if (count == 0 || count > limits_.prefill_capacity) return false;
  const auto outputs = std::ranges::count_if(pass.rows, &BatchRow::wants_logits);
  if (pass.one_row_each ? count > limits_.slots : outputs > limits_.prefill_outputs) return false;
  SequenceId sequence = kNoSequence;
  Position expected = 0;
  for (const BatchRow& row : pass.rows) {
    if (row.token < 0 || row.token >= limits_.vocabulary_size) return false;
    if (row.sequence < sequence || row.sequence >= sequences()) return false;
    if (row.sequence != sequence) {
      sequence = row.sequence;
      expected = resident(sequence);
    }
    if (row.position != expected || row.position >= limits_.context_length) return false;
    ++expected;
  }
  return true;
}

DecodeStatus LlamaBackend::submit(const PassRows& pass) {
  computed_rows_ = 0;
  submitted_rows_ = 0;
  if (lost_) return DecodeStatus::kLost;
  if (!acceptable(pass)) return DecodeStatus::kInvalid;
  const DecodeStatus status = threads_->on_cpu() ? submit_on_cores(pass) : submit_rows(pass);
  if (status == DecodeStatus::kOk) submitted_rows_ = pass.rows.size();
  return status;
}

// llama_decode returns before devices have ended; their logits are on the host when wait() returns.
DecodeStatus LlamaBackend::wait() {
  INFERNODE_CHECK(submitted_rows_ > 0, "a pass is waited for that was not submitted");
  const DecodeStatus status = synchronize();
  if (status == DecodeStatus::kOk) computed_rows_ = submitted_rows_;
  submitted_rows_ = 0;
  return status;
}

// A pass that computes on the CPU, or partly, holds its cores until it has ended.
DecodeStatus LlamaBackend::submit_on_cores(const PassRows& pass) {
  // Before any lock is taken: a thread that holds one must not wait for cores.
  const CpuCores::Lease cores = threads_->lease(interrupted_);
  if (cores.count() == 0) return DecodeStatus::kFailed;  // the engine is closing
  threads_->compute_with(cores.count());
  const DecodeStatus status = submit_rows(pass);
  return status == DecodeStatus::kOk ? synchronize() : status;
}

DecodeStatus LlamaBackend::submit_rows(const PassRows& pass) {
  // The first pass after a change of adapters counts all adapters of the model.
  std::shared_lock<std::shared_mutex> counting;
  if (std::exchange(adapters_changed_, false)) counting = std::shared_lock(model_->adapter_mutex());
  const llama_batch batch = rows_->batch(pass.rows, pass.one_row_each);
  // llama.cpp would compute embeddings of every row of a prefill too, so they are switched on for
  // this pass only.
  if (pass.embeds) llama_set_embeddings(context_.get(), true);
  const DecodeStatus status = call_llama([&] { return llama_decode(context_.get(), batch); });
  if (pass.embeds && !lost_) llama_set_embeddings(context_.get(), false);
  return status;
}

DecodeStatus LlamaBackend::synchronize() {
  return call_llama([this] {
    llama_synchronize(context_.get());
    return 0;
  });
}

// Calls a function of llama.cpp that computes. An exception is a failed pass. On devices, an error
// for which llama.cpp would abort the process (a CUDA error, for one) becomes kLost: the stack is
// unwound through llama.cpp's frames, so the context is never used again.
DecodeStatus LlamaBackend::call_llama(const std::function<std::int32_t()>& call) {
  std::optional<LlamaAbortGuard> guard;
  if (on_devices_) guard.emplace();
  try {
    return status_of_code(call(), on_devices_);
  } catch (const LlamaAborted& aborted) {
    lost_ = true;
    log_line(GGML_LOG_LEVEL_ERROR, std::string("llama.cpp aborted a pass: ") + aborted.what());
    return DecodeStatus::kLost;
  } catch (const std::bad_alloc&) {
    return DecodeStatus::kFailed;
  } catch (const std::exception& error) {
    log_line(GGML_LOG_LEVEL_ERROR, std::string("llama.cpp failed a pass: ") + error.what());
    return on_devices_ ? DecodeStatus::kDeviceFailed : DecodeStatus::kFailed;
  }
}

void LlamaBackend::use_adapters(const AdapterScales& scales) {
  use_loras(*context_, loras_, scales.empty() ? own_scales_ : scales);
  adapters_changed_ = !loras_.empty();
}

std::span<float> LlamaBackend::logits(std::size_t row) {
  INFERNODE_CHECK(row < computed_rows_, "logits of a row that was not computed");
  float* values = llama_get_logits_ith(context_.get(), static_cast<std::int32_t>(row));
  INFERNODE_CHECK(values != nullptr, "llama.cpp kept no logits of a decoded row");
  return {values, static_cast<std::size_t>(limits_.vocabulary_size)};
}

std::span<const float> LlamaBackend::embedding(std::size_t row) {
  INFERNODE_CHECK(row < computed_rows_, "an embedding of a row that was not computed");
  const float* values = llama_get_embeddings_ith(context_.get(), static_cast<std::int32_t>(row));
  INFERNODE_CHECK(values != nullptr, "llama.cpp kept no embedding of a decoded row");
  return {values, static_cast<std::size_t>(llama_model_n_embd_out(model_->handle()))};
}

bool LlamaBackend::truncate(SequenceId sequence, Position from) {
  INFERNODE_CHECK(sequence >= 0 && sequence < sequences(),
                  "a sequence that does not exist is truncated");
  if (from >= resident(sequence)) return true;
  if (from > 0 && reusable(sequence, from) != from) return false;
  return llama_memory_seq_rm(llama_get_memory(context_.get()), sequence, from == 0 ? -1 : from, -1);
}

// Sharing cells between streams would copy all of them, and a partial copy aborts.
void LlamaBackend::share(SequenceId from, SequenceId to, Position length) {
  INFERNODE_CHECK(limits_.unified && resident(to) == 0 && length <= resident(from),
                  "cells are shared that are not there, or with a sequence that has some");
  llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, 0, length);
}

// Recurrent states cannot be truncated. A sliding-window layer's row at `length` sees the window -
// 1 positions before it; llama.cpp keeps its positions without gaps.
Position LlamaBackend::reusable(SequenceId sequence, Position length) const {
  if (limits_.can_truncate || length == resident(sequence)) return length;
  if (window_ == 0) return 0;
  const Position oldest = llama_memory_seq_pos_min(llama_get_memory(context_.get()), sequence);
  return oldest <= std::max(0, length + 1 - window_) ? length : 0;
}

std::vector<std::uint8_t> LlamaBackend::save(SequenceId sequence, std::size_t at_most) {
  if (resident(sequence) == 0) return {};
  const std::size_t size = llama_state_seq_get_size(context_.get(), sequence);
  if (size > at_most) return {};
  try {
    std::vector<std::uint8_t> state(size);
    state.resize(llama_state_seq_get_data(context_.get(), state.data(), state.size(), sequence));
    return state;
  } catch (const std::bad_alloc&) {
    return {};  // no memory: the sequence is computed again when it is needed
  }
}

bool LlamaBackend::has_form(std::span<const std::uint8_t> state, Position length) const {
  const std::int32_t streams = limits_.unified ? 1 : limits_.slots;
  return has_sequence_form(state, {cache_kind(model_->info()), static_cast<std::uint32_t>(streams)},
                           length);
}

bool LlamaBackend::restore(SequenceId sequence, std::span<const std::uint8_t> state) {
  if (resident(sequence) != 0) return false;
  const LlamaAbortGuard guard;  // ggml may assert on a file's contents
  if (llama_state_seq_set_data(context_.get(), state.data(), state.size(), sequence) != 0)
    return true;
  INFERNODE_CHECK(truncate(sequence, 0), "a sequence that could not be restored stays half full");
  return false;
}

Position LlamaBackend::resident(SequenceId sequence) const {
  return llama_memory_seq_pos_max(llama_get_memory(context_.get()), sequence) + 1;
}

std::int64_t LlamaBackend::setups_reused() const {
  return llama_perf_context(context_.get()).n_reused;
}

}  // namespace infernode
