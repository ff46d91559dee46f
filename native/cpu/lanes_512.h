// Sixteen lanes in one register of AVX-512: see lanes.h.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <type_traits>

namespace infernode_panels {

using Register = __m512i;
using Ints = __m512i;
using Floats = __m512;
constexpr int kRegisterBytes = 64;

// --- one register ---------------------------------------------------------------
inline Register zero_register() { return _mm512_setzero_si512(); }
inline Register load_register(const void* from) { return _mm512_load_si512(from); }
inline void store_register(void* to, Register value) { _mm512_store_si512(to, value); }
inline Register all_bytes(char byte) { return _mm512_set1_epi8(byte); }
inline Register every_lane(__m128i lane) { return _mm512_broadcast_i32x4(lane); }
inline Register both_of(Register a, Register b) { return _mm512_and_si512(a, b); }
inline Register add(Register a, Register b) { return _mm512_add_epi32(a, b); }
inline Register shuffled(Register bytes, Register places) {
  return _mm512_shuffle_epi8(bytes, places);
}
template <int kBits>
Register words_right(Register words) {
  return _mm512_srli_epi16(words, kBits);
}

inline Register unpack_low_32(Register a, Register b) { return _mm512_unpacklo_epi32(a, b); }
inline Register unpack_high_32(Register a, Register b) { return _mm512_unpackhi_epi32(a, b); }
inline Register unpack_low_64(Register a, Register b) { return _mm512_unpacklo_epi64(a, b); }
inline Register unpack_high_64(Register a, Register b) { return _mm512_unpackhi_epi64(a, b); }

// The low 128 bits of each 256 bits of both, and the high ones.
inline Register lower_halves(Register a, Register b) {
  return _mm512_permutex2var_epi64(a, _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), b);
}
inline Register upper_halves(Register a, Register b) {
  return _mm512_permutex2var_epi64(a, _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15), b);
}

// Lane i of each 128 bits, for i from 0 to 3.
inline Register register_by_register(Register lanes) {
  return _mm512_permutexvar_epi32(
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), lanes);
}

// 16 bytes of each of four blocks, at(0) to at(3).
template <typename At>
Register sixteens(const At& at) {
  const auto load = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at(i))); };
  Register all = _mm512_castsi128_si512(load(0));
  all = _mm512_inserti32x4(all, load(1), 1);
  all = _mm512_inserti32x4(all, load(2), 2);
  return _mm512_inserti32x4(all, load(3), 3);
}

// Sets bit 4 of those bytes whose bit in `bits` (bit i of each group of eight for byte i) is set in
// the corresponding byte of `spread`.
inline Register with_bit_where(Register bytes, Register spread, long long bits) {
  const __mmask64 set = _mm512_test_epi8_mask(spread, _mm512_set1_epi64(bits));
  return _mm512_mask_add_epi8(bytes, set, bytes, _mm512_set1_epi8(0x10));
}

// The fifth bit of each of 32 values.
inline __m256i fifth_bits(std::uint32_t mask) { return _mm256_maskz_set1_epi8(mask, 0x10); }

// 32 bytes in each 256 bits: bytes(first), and bytes(first + 8) if kMore is true.
template <bool kMore, typename BytesAt>
Register from_halves(const BytesAt& bytes, int first) {
  const Register low = _mm512_zextsi256_si512(bytes(first));
  if constexpr (!kMore) return low;
  return _mm512_inserti64x4(low, bytes(first + 8), 1);
}

// Calls each(i) for the first lane of every register, with i as a constant.
template <typename Each>
void for_registers(const Each& each) {
  each(std::integral_constant<int, 0>());
}
template <typename Each>
Ints ints_of_registers(const Each& each) {
  return each(std::integral_constant<int, 0>());
}

// --- sixteen lanes --------------------------------------------------------------
inline Ints zero_ints() { return _mm512_setzero_si512(); }
inline Ints all_ints(std::int32_t value) { return _mm512_set1_epi32(value); }
inline Ints load_ints(const void* from) { return _mm512_load_si512(from); }
inline void store(void* to, Ints value) { _mm512_store_si512(to, value); }
inline Ints multiply(Ints a, Ints b) { return _mm512_mullo_epi32(a, b); }
inline Ints either_of(Ints a, Ints b) { return _mm512_or_si512(a, b); }
inline Ints left(Ints a, unsigned bits) { return _mm512_slli_epi32(a, bits); }
inline Ints right(Ints a, unsigned bits) { return _mm512_srli_epi32(a, bits); }
inline Ints signed_right(Ints a, unsigned bits) { return _mm512_srai_epi32(a, bits); }
// The low word of `even` below that of `odd`.
inline Ints word_pairs(Ints even, Ints odd) {
  return _mm512_mask_mov_epi16(even, 0xaaaaaaaa, _mm512_slli_epi32(odd, 16));
}
// sum + the sums of products of word pairs.
inline Ints add_word_products(Ints sum, Ints a, Ints b) { return _mm512_dpwssd_epi32(sum, a, b); }
// 16 bytes of each of four rows; those of lanes 0 to 3 first.
inline Ints four_rows(__m128i a, __m128i b, __m128i c, __m128i d) {
  const Ints both = _mm512_inserti32x4(_mm512_castsi128_si512(a), b, 1);
  return _mm512_inserti32x4(_mm512_inserti32x4(both, c, 2), d, 3);
}
// at(0) to at(15).
template <typename At>
Ints ints_of(const At& at) {
  return _mm512_setr_epi32(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8), at(9),
                           at(10), at(11), at(12), at(13), at(14), at(15));
}

inline Floats zero_floats() { return _mm512_setzero_ps(); }
inline Floats all_floats(float value) { return _mm512_set1_ps(value); }
inline Floats load_floats(const float* from) { return _mm512_load_ps(from); }
inline void store(float* to, Floats value) { _mm512_store_ps(to, value); }
inline Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
inline Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
inline Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
inline Floats to_floats(Ints a) { return _mm512_cvtepi32_ps(a); }
inline Floats floats_of_halves(__m256i halves) { return _mm512_cvtph_ps(halves); }
inline Floats floats_of_low_halves(Ints pairs) {
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(pairs));
}
// The first `count` lanes of the product; zeros in the others.
inline Floats multiply_first(int count, Floats a, Floats b) {
  return _mm512_maskz_mul_ps(static_cast<__mmask16>((1U << count) - 1), a, b);
}
template <int kLane>
__m128 quarter(Floats all) {
  return _mm512_extractf32x4_ps(all, kLane);
}
// The first `count` lanes.
inline void store_first(float* to, int count, Floats value) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << count) - 1), value);
}

// --- one register of floats --------------------------------------------------------
using FloatRegister = __m512;
constexpr int kFloatsEach = 16;
inline FloatRegister zero_float_register() { return _mm512_setzero_ps(); }
inline FloatRegister load_float_register(const float* from) { return _mm512_load_ps(from); }
inline FloatRegister floats_of_f16(const std::uint16_t* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
inline FloatRegister floats_of_bf16(const std::uint16_t* from) {
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(words), 16));
}

inline __m128i halves_added(__m256i all) {
  return _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}
inline __m128i added_to_four(Register all) {
  return halves_added(
      _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1)));
}

}  // namespace infernode_panels
