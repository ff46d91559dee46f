// The instruction sets on which our routines were measured to be faster than ggml's
// (docs/decisions/0021, 0023, 0058). On any other, ggml's own run: a set may bring ggml a routine
// that ours has never been compared with. Known at compile time, for each CPU variant of the
// backend is compiled for itself. A new measurement adds its set here.
#pragma once

// AVX2, without the dot products of AVX-VNNI.
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__) && !defined(__AVXVNNI__) && \
    !defined(__AVX512F__)
#define INFERNODE_MEASURED_AVX2 1
#endif

// AVX-512 with its own VNNI, which ggml prefers to AVX-VNNI where a CPU has both. Not with
// AMX.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) &&                     \
    defined(__AVX512VNNI__) && defined(__FMA__) && defined(__F16C__) && !defined(__AMX_TILE__) && \
    !defined(__AMX_INT8__)
#define INFERNODE_MEASURED_AVX512_VNNI 1
#endif

// Panels (llama_panels.h) in registers of 512 bits, or of 256. Tests compile those of 256 bits for
// any set that has AVX2, so that dot products are tried on CPUs that have them only in AVX-512.
#if defined(INFERNODE_PANELS_OF_256_BITS)
#define INFERNODE_PANELS 256
#elif defined(INFERNODE_MEASURED_AVX512_VNNI)
#define INFERNODE_PANELS 512
#elif defined(INFERNODE_MEASURED_AVX2)
#define INFERNODE_PANELS 256
#endif
