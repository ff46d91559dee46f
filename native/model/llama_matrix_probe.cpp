// One graph multiplies every matrix by the same vectors.
#include "model/llama_matrix_probe.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/types.h"
#include "ggml-backend.h"
#include "ggml-cpp.h"
#include "ggml.h"
#include "model/llama_abort.h"
#include "model/llama_log.h"

namespace infernode {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kMostRows = 65536;  // of one matrix
constexpr std::uint64_t kLeastBytes = std::uint64_t{16} << 20;
constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 20;
constexpr std::int32_t kMostBatch = 512;
constexpr double kSeconds = 0.25;  // of measuring
constexpr int kMostPasses = 200;

[[noreturn]] void no_memory() {
  throw Error(ErrorCode::kOutOfMemory,
              "There is too little memory to measure how fast this machine multiplies.");
}

ggml_context_ptr make_context(std::size_t tensors) {
  ggml_context_ptr context(ggml_init(
      {ggml_tensor_overhead() * (tensors + 8) + ggml_graph_overhead_custom(tensors, false), nullptr,
       true}));
  if (context == nullptr) no_memory();
  return context;
}

// The buffer types that llama.cpp tries for weights on the CPU, in its order.
std::vector<ggml_backend_buffer_type_t> layouts_of(ggml_backend_dev_t device) {
  std::vector<ggml_backend_buffer_type_t> layouts;
  const auto extra =
      reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
          ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
  if (extra != nullptr) {
    for (ggml_backend_buffer_type_t* each = extra(device); each != nullptr && *each != nullptr;
         ++each)
      layouts.push_back(*each);
  }
  layouts.push_back(ggml_backend_dev_buffer_type(device));
  return layouts;
}

// Whether the device can multiply a matrix of this type stored in `layout`.
bool multiplies(ggml_backend_dev_t device, ggml_backend_buffer_type_t layout, ggml_type type,
                const MatrixProbe& probe) {
  const std::int64_t columns = probe.columns;
  const ggml_context_ptr context = make_context(4);
  ggml_tensor* weight = ggml_new_tensor_2d(context.get(), type, columns, probe.rows);
  ggml_tensor* input = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, columns, kMostBatch);
  const ggml_tensor* product = ggml_mul_mat(context.get(), weight, input);
  const ggml_backend_buffer_ptr buffer(ggml_backend_buft_alloc_buffer(layout, 0));
  weight->buffer = buffer.get();
  const bool supported = ggml_backend_dev_supports_op(device, product);
  weight->buffer = nullptr;
  return supported;
}

std::vector<std::byte> random_matrix(ggml_type type, std::int64_t columns, std::int64_t rows) {
  std::vector<float> numbers(static_cast<std::size_t>(columns * rows));
  std::uint32_t state = 1;
  for (float& number : numbers) {
    state = state * 1664525u + 1013904223u;
    number = static_cast<float>(state >> 8) / static_cast<float>(1u << 24) - 0.5f;
  }
  std::vector<std::byte> bytes(ggml_row_size(type, columns) * static_cast<std::size_t>(rows));
  const std::vector<float> importance(static_cast<std::size_t>(columns), 1.0f);
  ggml_quantize_chunk(type, numbers.data(), bytes.data(), 0, rows, columns, importance.data());
  return bytes;
}

// Matrices, vectors and the graph that multiplies them.
class Multiplications {
 public:
  Multiplications(ggml_backend_dev_t device, ggml_backend_buffer_type_t layout, ggml_type type,
                  const MatrixProbe& probe) {
    const std::vector<std::byte> matrix = random_matrix(type, probe.columns, probe.rows);
    const std::uint64_t bytes = std::clamp(probe.bytes, kLeastBytes, kMostBytes);
    const auto count = static_cast<std::size_t>(std::max<std::uint64_t>(1, bytes / matrix.size()));
    weights_ = make_context(count);
    const std::size_t nodes = 2 * count + 2;  // matrices, vectors, products
    values_ = make_context(nodes);
    std::vector<ggml_tensor*> matrices;
    for (std::size_t i = 0; i < count; ++i)
      matrices.push_back(ggml_new_tensor_2d(weights_.get(), type, probe.columns, probe.rows));
    ggml_tensor* input =
        ggml_new_tensor_2d(values_.get(), GGML_TYPE_F32, probe.columns, probe.batch);
    graph_ = ggml_new_graph_custom(values_.get(), nodes, false);
    for (ggml_tensor* each : matrices)
      ggml_build_forward_expand(graph_, ggml_mul_mat(values_.get(), each, input));
    weight_buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(weights_.get(), layout));
    value_buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(
        values_.get(), ggml_backend_dev_buffer_type(device)));
    if (weight_buffer_ == nullptr || value_buffer_ == nullptr) no_memory();
    for (ggml_tensor* each : matrices)
      ggml_backend_tensor_set(each, matrix.data(), 0, matrix.size());
    const std::vector<float> ones(static_cast<std::size_t>(probe.columns * probe.batch), 0.5f);
    ggml_backend_tensor_set(input, ones.data(), 0, ones.size() * sizeof(float));
    weight_count_ = static_cast<double>(count) * static_cast<double>(probe.columns * probe.rows);
  }

  double weight_count() const { return weight_count_; }
  ggml_cgraph* graph() const { return graph_; }

 private:
  ggml_context_ptr weights_;
  ggml_context_ptr values_;
  ggml_backend_buffer_ptr weight_buffer_;
  ggml_backend_buffer_ptr value_buffer_;
  ggml_cgraph* graph_ = nullptr;
  double weight_count_ = 0;
};

void set_threads(ggml_backend_t backend, ggml_backend_dev_t device, std::int32_t threads) {
  const auto set = reinterpret_cast<ggml_backend_set_n_threads_t>(ggml_backend_reg_get_proc_address(
      ggml_backend_dev_backend_reg(device), "ggml_backend_set_n_threads"));
  if (set != nullptr) set(backend, threads);
}

double best_pass(ggml_backend_t backend, ggml_cgraph* graph) {
  double best = HUGE_VAL;
  const Clock::time_point begin = Clock::now();
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const Clock::time_point start = Clock::now();
    if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) no_memory();
    const Clock::time_point end = Clock::now();
    if (pass > 0) best = std::min(best, std::chrono::duration<double>(end - start).count());
    if (pass > 1 && std::chrono::duration<double>(end - begin).count() > kSeconds) break;
  }
  return best;
}

[[noreturn]] void refuse_type() {
  throw Error(ErrorCode::kInvalidOption, "No matrix of this type and width can be multiplied.");
}

double measured(ggml_backend_dev_t device, ggml_type type, const MatrixProbe& probe) {
  for (ggml_backend_buffer_type_t layout : layouts_of(device)) {
    if (!multiplies(device, layout, type, probe)) continue;
    const Multiplications work(device, layout, type, probe);
    const ggml_backend_ptr backend(ggml_backend_dev_init(device, nullptr));
    if (backend == nullptr) no_memory();
    set_threads(backend.get(), device, probe.threads);
    return best_pass(backend.get(), work.graph()) / work.weight_count();
  }
  refuse_type();
}

}  // namespace

double probe_matrices(const MatrixProbe& probe) {
  const auto type = static_cast<ggml_type>(probe.type);
  const bool known = probe.type < GGML_TYPE_COUNT && ggml_blck_size(type) > 0 &&
                     ggml_type_size(type) > 0 && probe.columns > 0 && probe.batch >= 1 &&
                     probe.batch <= kMostBatch && probe.rows > 0 && probe.rows <= kMostRows &&
                     probe.columns % ggml_blck_size(type) == 0;
  ggml_backend_dev_t device = probe.device.empty()
                                  ? ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)
                                  : ggml_backend_dev_by_name(probe.device.c_str());
  if (!known || device == nullptr) refuse_type();
  const LlamaLogMute mute;
  const LlamaAbortGuard guard;  // ggml asserts for types it cannot quantize to
  try {
    return measured(device, type, probe);
  } catch (const LlamaAborted&) {
    refuse_type();
  }
}

}  // namespace infernode
