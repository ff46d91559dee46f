// Sixteen lanes in two registers of AVX2: see lanes.h.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace infernode_panels {

using Register = __m256i;
struct Ints {
  __m256i low, high;
};
struct Floats {
  __m256 low, high;
};
constexpr int kRegisterBytes = 32;

// --- one register ---------------------------------------------------------------
inline Register zero_register() { return _mm256_setzero_si256(); }
inline Register load_register(const void* from) {
  return _mm256_load_si256(static_cast<const __m256i*>(from));
}
inline void store_register(void* to, Register value) {
  _mm256_store_si256(static_cast<__m256i*>(to), value);
}
inline Register all_bytes(char byte) { return _mm256_set1_epi8(byte); }
inline Register every_lane(__m128i lane) { return _mm256_broadcastsi128_si256(lane); }
inline Register both_of(Register a, Register b) { return _mm256_and_si256(a, b); }
inline Register add(Register a, Register b) { return _mm256_add_epi32(a, b); }
inline Register shuffled(Register bytes, Register places) {
  return _mm256_shuffle_epi8(bytes, places);
}
template <int kBits>
Register words_right(Register words) {
  return _mm256_srli_epi16(words, kBits);
}

inline Register unpack_low_32(Register a, Register b) { return _mm256_unpacklo_epi32(a, b); }
inline Register unpack_high_32(Register a, Register b) { return _mm256_unpackhi_epi32(a, b); }
inline Register unpack_low_64(Register a, Register b) { return _mm256_unpacklo_epi64(a, b); }
inline Register unpack_high_64(Register a, Register b) { return _mm256_unpackhi_epi64(a, b); }

// The low 128 bits of both, and the high 128 bits of both.
inline Register lower_halves(Register a, Register b) {
  return _mm256_permute2x128_si256(a, b, 0x20);
}
inline Register upper_halves(Register a, Register b) {
  return _mm256_permute2x128_si256(a, b, 0x31);
}

// Lane i of each 128 bits, for i from 0 to 3.
inline Register register_by_register(Register lanes) {
  return _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// 16 bytes of each of two blocks, at(0) and at(1).
template <typename At>
Register sixteens(const At& at) {
  const auto load = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at(i))); };
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load(0)), load(1), 1);
}

// Sets bit 4 of those bytes whose bit in `bits` (bit i of each group of eight for byte i) is set in
// the corresponding byte of `spread`.
inline Register with_bit_where(Register bytes, Register spread, long long bits) {
  const Register wanted = _mm256_set1_epi64x(bits);
  const Register set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, wanted), wanted);
  return _mm256_or_si256(bytes, _mm256_and_si256(set, _mm256_set1_epi8(0x10)));
}

// The fifth bit of each of 32 values.
inline __m256i fifth_bits(std::uint32_t mask) {
  const __m256i places =
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i spread =
      _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<std::int32_t>(mask)), places);
  return with_bit_where(_mm256_setzero_si256(), spread, static_cast<long long>(0x8040201008040201));
}

// 32 bytes: bytes(first).
template <bool kMore, typename BytesAt>
Register from_halves(const BytesAt& bytes, int first) {
  return bytes(first);
}

// Calls each(i) for the first lane of every register, with i as a constant.
template <typename Each>
void for_registers(const Each& each) {
  each(std::integral_constant<int, 0>());
  each(std::integral_constant<int, 8>());
}
template <typename Each>
Ints ints_of_registers(const Each& each) {
  return {each(std::integral_constant<int, 0>()), each(std::integral_constant<int, 8>())};
}

// --- sixteen lanes --------------------------------------------------------------
inline Ints zero_ints() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline Ints all_ints(std::int32_t value) {
  return {_mm256_set1_epi32(value), _mm256_set1_epi32(value)};
}
inline Ints load_ints(const void* from) {
  const auto* both = static_cast<const __m256i*>(from);
  return {_mm256_load_si256(both), _mm256_load_si256(both + 1)};
}
inline void store(void* to, Ints value) {
  auto* both = static_cast<__m256i*>(to);
  _mm256_store_si256(both, value.low);
  _mm256_store_si256(both + 1, value.high);
}
inline Ints add(Ints a, Ints b) { return {add(a.low, b.low), add(a.high, b.high)}; }
inline Ints multiply(Ints a, Ints b) {
  return {_mm256_mullo_epi32(a.low, b.low), _mm256_mullo_epi32(a.high, b.high)};
}
inline Ints both_of(Ints a, Ints b) { return {both_of(a.low, b.low), both_of(a.high, b.high)}; }
inline Ints either_of(Ints a, Ints b) {
  return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
}
inline Ints left(Ints a, unsigned bits) {
  const int count = static_cast<int>(bits);
  return {_mm256_slli_epi32(a.low, count), _mm256_slli_epi32(a.high, count)};
}
inline Ints right(Ints a, unsigned bits) {
  const int count = static_cast<int>(bits);
  return {_mm256_srli_epi32(a.low, count), _mm256_srli_epi32(a.high, count)};
}
inline Ints signed_right(Ints a, unsigned bits) {
  const int count = static_cast<int>(bits);
  return {_mm256_srai_epi32(a.low, count), _mm256_srai_epi32(a.high, count)};
}
inline Ints unpack_low_32(Ints a, Ints b) {
  return {unpack_low_32(a.low, b.low), unpack_low_32(a.high, b.high)};
}
inline Ints unpack_high_32(Ints a, Ints b) {
  return {unpack_high_32(a.low, b.low), unpack_high_32(a.high, b.high)};
}
inline Ints unpack_low_64(Ints a, Ints b) {
  return {unpack_low_64(a.low, b.low), unpack_low_64(a.high, b.high)};
}
inline Ints unpack_high_64(Ints a, Ints b) {
  return {unpack_high_64(a.low, b.low), unpack_high_64(a.high, b.high)};
}
// The low word of `even` below that of `odd`.
inline Ints word_pairs(Ints even, Ints odd) {
  const Ints above = left(odd, 16);
  return {_mm256_blend_epi16(even.low, above.low, 0xaa),
          _mm256_blend_epi16(even.high, above.high, 0xaa)};
}
// sum + the sums of products of word pairs.
inline Ints add_word_products(Ints sum, Ints a, Ints b) {
  return {add(sum.low, _mm256_madd_epi16(a.low, b.low)),
          add(sum.high, _mm256_madd_epi16(a.high, b.high))};
}
// 16 bytes of each of four rows; those of lanes 0 to 3 first.
inline Ints four_rows(__m128i a, __m128i b, __m128i c, __m128i d) {
  return {_mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1),
          _mm256_inserti128_si256(_mm256_castsi128_si256(c), d, 1)};
}
// at(0) to at(15) through memory: for _mm256_setr_epi32() GCC would occupy further registers.
// registers first.
template <typename At>
Ints ints_of(const At& at) {
  const auto four = [&](int i) {
    const __m128i two = _mm_insert_epi32(_mm_cvtsi32_si128(at(i)), at(i + 1), 1);
    return _mm_insert_epi32(_mm_insert_epi32(two, at(i + 2), 2), at(i + 3), 3);
  };
  const Register low = _mm256_castsi128_si256(four(0)), high = _mm256_castsi128_si256(four(8));
  return {_mm256_inserti128_si256(low, four(4), 1), _mm256_inserti128_si256(high, four(12), 1)};
}

inline Floats zero_floats() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline Floats all_floats(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
inline Floats load_floats(const float* from) {
  return {_mm256_load_ps(from), _mm256_load_ps(from + 8)};
}
inline void store(float* to, Floats value) {
  _mm256_store_ps(to, value.low);
  _mm256_store_ps(to + 8, value.high);
}
inline Floats add(Floats a, Floats b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
inline Floats multiply(Floats a, Floats b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
inline Floats multiply_add(Floats a, Floats b, Floats c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline Floats to_floats(Ints a) { return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }
inline Floats floats_of_halves(__m256i halves) {
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(halves)),
          _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1))};
}
inline Floats floats_of_low_halves(Ints pairs) {
  const Ints words = both_of(pairs, all_ints(0xffff));
  return floats_of_halves(
      _mm256_permute4x64_epi64(_mm256_packus_epi32(words.low, words.high), 0xd8));
}
// The first `count` lanes of the product; zeros in the others.
inline Floats multiply_first(int count, Floats a, Floats b) {
  const __m256i counts = _mm256_set1_epi32(count);
  const __m256i low = _mm256_cmpgt_epi32(counts, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  const __m256i high = _mm256_cmpgt_epi32(counts, _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15));
  const Floats all = multiply(a, b);
  return {_mm256_and_ps(all.low, _mm256_castsi256_ps(low)),
          _mm256_and_ps(all.high, _mm256_castsi256_ps(high))};
}
template <int kLane>
__m128 quarter(Floats all) {
  return _mm256_extractf128_ps(kLane < 2 ? all.low : all.high, kLane % 2);
}
// The first `count` lanes.
inline void store_first(float* to, int count, Floats value) {
  if (count == 16) {
    _mm256_storeu_ps(to, value.low);
    _mm256_storeu_ps(to + 8, value.high);
    return;
  }
  alignas(32) float all[16];
  store(all, value);
  std::memcpy(to, all, static_cast<std::size_t>(count) * sizeof(float));
}

// --- one register of floats --------------------------------------------------------
using FloatRegister = __m256;
constexpr int kFloatsEach = 8;
inline FloatRegister zero_float_register() { return _mm256_setzero_ps(); }
inline FloatRegister load_float_register(const float* from) { return _mm256_load_ps(from); }
inline void store(float* to, FloatRegister value) { _mm256_store_ps(to, value); }
inline FloatRegister add(FloatRegister a, FloatRegister b) { return _mm256_add_ps(a, b); }
inline FloatRegister multiply_add(FloatRegister a, FloatRegister b, FloatRegister c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline FloatRegister floats_of_f16(const std::uint16_t* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
inline FloatRegister floats_of_bf16(const std::uint16_t* from) {
  const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16));
}

inline __m128i halves_added(__m256i all) {
  return _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}
inline __m128i added_to_four(Register all) { return halves_added(all); }

}  // namespace infernode_panels
