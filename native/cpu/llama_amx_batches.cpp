// AMX products of several batches, such as the sequences of a recurrent model's pass, in
// llama.cpp's CPU backend. llama.cpp's routine handles the batches one after another and adds byte
// offsets to float pointers, and to weights that all batches share: it reads and writes outside its
// tensors. Here the batches of one matrix are computed as one product of all their rows, and those
// of several matrices as products of their own. Compiled into ggml-cpu in place of that routine,
// which is renamed (cmake/InfernodeCpuKernels.cmake). Called by every thread of a pass, with the
// same arguments.
#if defined(__AMX_INT8__) && defined(__AVX512VNNI__)
#include <cstdint>

#include "amx/mmq.h"
#include "ggml-cpu-impl.h"
#include "ggml-cpu.h"
#include "ggml.h"
#include "llama_panels.h"

void infernode_upstream_amx_mul_mat(const ggml_compute_params* params, ggml_tensor* product);

namespace {

char* at(const ggml_tensor& tensor, std::int64_t i2, std::int64_t i3) {
  return static_cast<char*>(tensor.data) + static_cast<std::size_t>(i2) * tensor.nb[2] +
         static_cast<std::size_t>(i3) * tensor.nb[3];
}

#ifdef INFERNODE_TILES
// By panels, from the same weights; false: not of this type.
bool multiply_by_panels(const ggml_compute_params& params, const ggml_tensor& weights,
                        const ggml_tensor& input, const ggml_tensor& product, std::int64_t rows) {
  if (!infernode_panels::computes_packed(weights.type)) return false;
  const ggml_type type = ggml_get_type_traits_cpu(weights.type)->vec_dot_type;
  const ggml_from_float_t quantize = ggml_get_type_traits_cpu(type)->from_float;
  const std::int64_t width = weights.ne[0];
  const std::size_t bytes = ggml_row_size(type, width);
  for (std::int64_t row = params.ith; row < rows; row += params.nth)
    quantize(static_cast<const float*>(input.data) + row * width,
             static_cast<char*>(params.wdata) + static_cast<std::size_t>(row) * bytes, width);
  if (params.ith == 0) ggml_threadpool_chunk_set(params.threadpool, params.nth);
  ggml_barrier(params.threadpool);
  return infernode_panels::multiply_packed(
      params, weights.ne[1], rows, width / ggml_blck_size(weights.type), weights.data, params.wdata,
      static_cast<float*>(product.data), product.ne[0], weights.type);
}
#endif

// The product of these matrices; `of` supplies the operation and the row strides.
void multiply(const ggml_compute_params* params, ggml_tensor weights, ggml_tensor input,
              ggml_tensor of, std::int64_t rows) {
#ifdef INFERNODE_TILES
  if (multiply_by_panels(*params, weights, input, of, rows)) return;
#endif
  for (ggml_tensor* matrix : {&weights, &input, &of}) matrix->ne[2] = matrix->ne[3] = 1;
  input.ne[1] = of.ne[1] = rows;
  of.src[0] = &weights;
  of.src[1] = &input;
  infernode_upstream_amx_mul_mat(params, &of);
}

}  // namespace

void ggml_backend_amx_mul_mat(const ggml_compute_params* params, ggml_tensor* product) {
  const ggml_tensor& weights = *product->src[0];
  const ggml_tensor& input = *product->src[1];
  // Both are contiguous: the AMX buffer type supports no other operation.
  if (weights.ne[2] * weights.ne[3] == 1)
    return multiply(params, weights, input, *product, ggml_nrows(product));
  for (std::int64_t i3 = 0; i3 < product->ne[3]; ++i3) {
    for (std::int64_t i2 = 0; i2 < product->ne[2]; ++i2) {
      ggml_tensor matrix = weights;
      ggml_tensor batch = input;
      ggml_tensor result = *product;
      matrix.data =
          at(weights, i2 * weights.ne[2] / product->ne[2], i3 * weights.ne[3] / product->ne[3]);
      batch.data = at(input, i2, i3);
      result.data = at(*product, i2, i3);
      multiply(params, matrix, batch, result, product->ne[1]);
      ggml_barrier(params->threadpool);  // the next batch is converted in the same memory
    }
  }
}
#endif
