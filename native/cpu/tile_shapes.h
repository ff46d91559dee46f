// Put in front of llama.cpp's amx/mmq.cpp, which tells the processor the shapes of its AMX
// tiles. GCC's _tile_loadconfig (up to 12.3) names the first 8 of the 64 bytes as what its
// instruction reads, so that the optimizer drops what was written to the others: each tile
// is left without rows, and the first use of one is an illegal instruction.
#pragma once

#if defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

struct __attribute__((may_alias)) InfernodeTileShapes {
  char bytes[64];
};

static inline void infernode_tile_loadconfig(const void* shapes) {
  __asm__ volatile("ldtilecfg\t%X0" ::"m"(*static_cast<const InfernodeTileShapes*>(shapes)));
}

#define _tile_loadconfig(shapes) infernode_tile_loadconfig(shapes)
#endif
