// What a barrier needs to know of ggml's thread pools, whose struct only ggml-cpu.c defines. C and
// C++.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct ggml_threadpool;

// A pool's barrier: its two atomic ints, and the number of threads that compute the graph.
struct InfernodeBarrier {
  int* waiting;  // threads that have arrived
  int* passed;   // barriers passed so far
  int threads;
};

struct InfernodeBarrier infernode_barrier_of(struct ggml_threadpool* pool);

#ifdef __cplusplus
}
#endif
