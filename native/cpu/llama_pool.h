// What a barrier needs of ggml's thread pools, whose struct only ggml-cpu.c knows. C and C++.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct ggml_threadpool;

// The words of a pool's barrier, atomic ints, and how many threads compute the graph.
struct InfernodeBarrier {
  int* waiting;  // threads that have arrived
  int* passed;   // barriers that all threads have passed
  int threads;
};

struct InfernodeBarrier infernode_barrier_of(struct ggml_threadpool* pool);

#ifdef __cplusplus
}
#endif
