// The instruction sets on which infernode's routines were measured to be faster than ggml's
// (docs/decisions/0021, 0023, 0058, 0076, 0079, 0080). On any other set ggml's own routines run:
// the set may give ggml a routine that ours was never compared with. Decided at compile time, since
// each CPU variant of the backend is compiled separately. A new measurement adds its set here.
#pragma once

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__) && !defined(__AVX512F__)
#if defined(__AVXVNNI__)  // with dot products of 256 bits
#define INFERNODE_MEASURED_AVX_VNNI 1
#else
#define INFERNODE_MEASURED_AVX2 1
#endif
#endif

// AVX-512 with its own VNNI, which ggml prefers to AVX-VNNI on CPUs with both.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && \
    defined(__AVX512VNNI__) && defined(__FMA__) && defined(__F16C__)
#define INFERNODE_MEASURED_AVX512_VNNI 1
#endif

// Panels (llama_panels.h) in 512-bit or 256-bit registers. Tests compile the 256-bit ones for any
// set that includes AVX2, so that dot products can be tested on CPUs that have them only in
// AVX-512.
#if defined(INFERNODE_PANELS_OF_256_BITS)
#define INFERNODE_PANELS 256
#elif defined(INFERNODE_MEASURED_AVX512_VNNI)
#define INFERNODE_PANELS 512
#elif defined(INFERNODE_MEASURED_AVX2) || defined(INFERNODE_MEASURED_AVX_VNNI)
#define INFERNODE_PANELS 256
#endif

// Tiles of AMX, beside panels in 512-bit registers.
#if INFERNODE_PANELS == 512 && defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__linux__)
#define INFERNODE_TILES 1
#endif

// Products of F16 and BF16 weights (llama_floats.h). BF16 has dot products of its own in AVX-512
// BF16, which are twice as fast as those of floats on AMD's processors: there it was not measured,
// and with AMX its tiles are faster.
#if defined(INFERNODE_PANELS)
#define INFERNODE_F16_PRODUCTS 1
#if defined(INFERNODE_TILES) || !defined(__AVX512BF16__)
#define INFERNODE_BF16_PRODUCTS 1
#endif
#endif
