// Compiles ggml-cpu.c unchanged, so that its struct of a thread pool is visible here. Its barrier
// is weak: llama_barrier.cpp's definition, where there is one, is linked in its place.
#pragma weak ggml_barrier
#include "llama_pool.h"
#include "ggml-cpu.c"

struct InfernodeBarrier infernode_barrier_of(struct ggml_threadpool* pool) {
  const int graph = atomic_load_explicit(&pool->n_graph, memory_order_relaxed);
  const struct InfernodeBarrier barrier = {(int*)&pool->n_barrier, (int*)&pool->n_barrier_passed,
                                           graph & GGML_THREADPOOL_N_THREADS_MASK};
  return barrier;
}
