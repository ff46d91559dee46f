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
#include "ggml.h"

void infernode_upstream_amx_mul_mat(const ggml_compute_params* params, ggml_tensor* product);

namespace {

char* at(const ggml_tensor& tensor, std::int64_t i2, std::int64_t i3) {
  return static_cast<char*>(tensor.data) + static_cast<std::size_t>(i2) * tensor.nb[2] +
         static_cast<std::size_t>(i3) * tensor.nb[3];
}

// The product of these matrices; `of` supplies the operation and the row strides.
void multiply(const ggml_compute_params* params, ggml_tensor weights, ggml_tensor input,
              ggml_tensor of, std::int64_t rows) {
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
