// The instruction sets on which infernode's routines were measured to be faster than ggml's
// (docs/decisions/0021, 0023, 0058). On any other set ggml's own routines run: the set may give
// ggml a routine that ours was never compared with. Decided at compile time, since each CPU variant
// of the backend is compiled separately. A new measurement adds its set here.
#pragma once

// AVX2, without the dot products of AVX-VNNI.
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__) && !defined(__AVXVNNI__) && \
    !defined(__AVX512F__)
#define INFERNODE_MEASURED_AVX2 1
#endif

// AVX-512 with its own VNNI, which ggml prefers to AVX-VNNI on CPUs with both. Not with AMX.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) &&                     \
    defined(__AVX512VNNI__) && defined(__FMA__) && defined(__F16C__) && !defined(__AMX_TILE__) && \
    !defined(__AMX_INT8__)
#define INFERNODE_MEASURED_AVX512_VNNI 1
#endif

// Panels (llama_panels.h) in 512-bit or 256-bit registers. Tests compile the 256-bit ones for any
// set that includes AVX2, so that dot products can be tested on CPUs that have them only in
// AVX-512.
#if defined(INFERNODE_PANELS_OF_256_BITS)
#define INFERNODE_PANELS 256
#elif defined(INFERNODE_MEASURED_AVX512_VNNI)
#define INFERNODE_PANELS 512
#elif defined(INFERNODE_MEASURED_AVX2)
#define INFERNODE_PANELS 256
#endif
