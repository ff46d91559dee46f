// Names of the routines in this folder that a CPU variant was compiled with: each exists for some
// instruction sets only (measured_sets.h), which is not visible from outside. llama_devices.cpp
// finds this function by its name in the backend's library.
#include "measured_sets.h"

extern "C" __attribute__((visibility("default"))) const char* infernode_cpu_kernels() {
  return ""
#if defined(INFERNODE_MEASURED_AVX512_VNNI) || defined(INFERNODE_MEASURED_AVX_VNNI)
         "panels of q8_0, q5_0, q5_1, q4_0, q4_1, iq4_nl, q4_K, q5_K and q6_K\n"
         "attention\n"
#endif
#if defined(INFERNODE_MEASURED_AVX2)
         "small q8_0 batches\n"
         "panels of q5_0, q5_1, q4_0, q4_1, q4_K, q5_K and q6_K\n"
         "attention\n"
#endif
#if defined(INFERNODE_BF16_PRODUCTS)
         "products of f16 and bf16\n"
#elif defined(INFERNODE_F16_PRODUCTS)
         "products of f16\n"
#endif
#if defined(INFERNODE_TILES)
         "AMX tiles\n"
#endif
#if defined(__AMX_INT8__) && defined(__AVX512VNNI__)
         "AMX batches\n"
#endif
      ;
}
