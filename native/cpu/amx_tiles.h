// Tiles of AMX: registers of up to 16 rows of 64 bytes, whose products of bytes are one
// instruction. The instructions are written out, because GCC's functions (12.3) do not tell the
// optimizer which memory they access. Each thread has its own tiles, and a guard belongs to the
// thread that makes it.
#pragma once

#include "measured_sets.h"

#ifdef INFERNODE_TILES
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace infernode_panels {

// The shapes of all tiles, in the layout that the processor reads.
struct alignas(64) TileShapes {
  std::uint8_t palette = 0;  // 0: no tiles
  std::uint8_t unused[15] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  void set(int tile, int row_count, int bytes) {
    palette = 1;
    rows[tile] = static_cast<std::uint8_t>(row_count);
    row_bytes[tile] = static_cast<std::uint16_t>(bytes);
  }
  void load() const { __asm__ volatile("ldtilecfg %0" ::"m"(*this)); }
  void store() { __asm__ volatile("sttilecfg %0" : "=m"(*this)); }
};
static_assert(sizeof(TileShapes) == 64);

// Restores this thread's shapes at its end: ggml's own AMX routines set them only once.
class TileShapesGuard {
 public:
  TileShapesGuard() { before_.store(); }
  ~TileShapesGuard() { before_.load(); }
  TileShapesGuard(const TileShapesGuard&) = delete;
  TileShapesGuard& operator=(const TileShapesGuard&) = delete;

 private:
  TileShapes before_;
};

// Linux gives a process tiles only if it asks for them.
[[nodiscard]] inline bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

template <int kTile>
[[gnu::always_inline]] inline void load_tile(const void* rows, std::int64_t distance) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(rows), "r"(distance), "i"(kTile)
                   : "memory");
}
template <int kTile>
[[gnu::always_inline]] inline void store_tile(void* rows, std::int64_t distance) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(rows), "r"(distance), "i"(kTile)
                   : "memory");
}
template <int kTile>
[[gnu::always_inline]] inline void clear_tile() {
  __asm__ volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
// kSums += kRows x kColumns, in signed bytes: four values of a row times four values of a column.
template <int kSums, int kRows, int kColumns>
[[gnu::always_inline]] inline void multiply_tiles() {
  __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kRows), "i"(kColumns));
}

// The same in pairs of BF16 values, whose products are added to 32-bit floats.
template <int kSums, int kRows, int kColumns>
[[gnu::always_inline]] inline void multiply_bf16_tiles() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kRows),
                   "i"(kColumns));
}

}  // namespace infernode_panels
#endif
