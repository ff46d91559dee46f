// The packing loops for x86-64 with AVX2 and F16C, most of them the shared loops compiled again.
// Not with FMA: a product and sum rounded once would differ from the reference. Without the flags,
// or on other CPUs, the file only reports that it has no kernels.
#include "checkpoint/packing_kernels.h"

#if defined(__x86_64__)
#if defined(__AVX2__) && defined(__F16C__)

#include <cpuid.h>
#include <immintrin.h>

#include "checkpoint/packing_loops.h"

namespace infernode {
namespace {

constexpr std::size_t kLanes = 8;
constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

__m128i load16(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }
void store16(void* at, __m128i value) { _mm_storeu_si128(static_cast<__m128i*>(at), value); }
__m256i load32(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
void store32(void* at, __m256i value) { _mm256_storeu_si256(static_cast<__m256i*>(at), value); }

// The low halves of 16 bytes, followed by the high halves; both are less than 16.
__m128i paired(__m128i low, __m128i high) { return _mm_or_si128(low, _mm_slli_epi16(high, 4)); }

void nibbles_avx2(const std::uint8_t* quants, std::size_t blocks, const std::uint8_t* head,
                  std::size_t head_bytes, std::uint8_t* out) {
  std::uint32_t start = 0;
  __builtin_memcpy(&start, head, head_bytes);
  for (std::size_t block = 0; block < blocks; ++block, quants += kPackedBlock) {
    __builtin_memcpy(out, &start, sizeof start);  // excess bytes are overwritten by the next block
    out += head_bytes;
    store16(out, paired(load16(quants), load16(quants + 16)));
    out += 16;
  }
}

void q5_0_avx2(const std::uint8_t* quants, std::size_t blocks, std::uint16_t d, int zero,
               std::uint8_t* out) {
  const __m256i move = _mm256_set1_epi8(static_cast<char>(16 - zero));
  const __m256i low = _mm256_set1_epi8(15);
  for (std::size_t block = 0; block < blocks; ++block, quants += kPackedBlock, out += 22) {
    const __m256i moved = _mm256_add_epi8(load32(quants), move);
    // Bit 4 of each byte is extended as its sign.
    const auto fifth =
        static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_slli_epi16(moved, 3)));
    const __m256i four = _mm256_and_si256(moved, low);
    __builtin_memcpy(out, &d, sizeof d);
    __builtin_memcpy(out + 2, &fifth, sizeof fifth);
    store16(out + 6, paired(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1)));
  }
}

void super_block_avx2(const std::uint8_t* quants, std::uint8_t* out) {
  for (std::size_t part = 0; part < 4; ++part, quants += 64, out += 32)
    store32(out, _mm256_or_si256(load32(quants), _mm256_slli_epi16(load32(quants + 32), 4)));
}

void to_halves_avx2(const float* numbers, std::size_t count, std::uint16_t* out) {
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    store16(out + i, _mm256_cvtps_ph(_mm256_loadu_ps(numbers + i), kNearest));
  for (; i < count; ++i)
    out[i] = static_cast<std::uint16_t>(
        _mm_extract_epi16(_mm_cvtps_ph(_mm_set_ss(numbers[i]), kNearest), 0));
}

void from_halves_avx2(const std::uint16_t* numbers, std::size_t count, float* out) {
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(load16(numbers + i)));
  for (; i < count; ++i) out[i] = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(numbers[i])));
}

void q8_0_of_floats_avx2(const float* numbers, std::size_t blocks, std::uint8_t* out) {
  for (std::size_t block = 0; block < blocks; ++block, numbers += kPackedBlock, out += 34) {
    const float d = __builtin_bit_cast(float, largest_bits_loop(numbers, kPackedBlock)) / 127;
    std::uint16_t half = 0;
    to_halves_avx2(&d, 1, &half);
    __builtin_memcpy(out, &half, sizeof half);
    round_block(numbers, inverse_of(d), out + 2);
  }
}

constexpr PackingKernels kAvx2{"avx2",
                               nibbles_avx2,
                               q5_0_avx2,
                               q8_0_loop,
                               super_block_avx2,
                               products_loop,
                               sums_loop,
                               to_halves_avx2,
                               from_halves_avx2,
                               to_bfloats_loop,
                               from_bfloats_loop,
                               largest_bits_loop,
                               q8_0_of_floats_avx2};

}  // namespace

const PackingKernels* avx2_packing_kernels() {
  // Clang's __builtin_cpu_supports() does not know F16C.
  static const bool supported = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
  }();
  return supported ? &kAvx2 : nullptr;
}

}  // namespace infernode

#else

namespace infernode {
const PackingKernels* avx2_packing_kernels() { return nullptr; }
}  // namespace infernode

#endif
#endif
