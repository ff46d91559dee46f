// Included before llama.cpp's amx/mmq.cpp, which configures the shapes of the CPU's AMX tiles.
// GCC's _tile_loadconfig (up to 12.3) declares only the first 8 of the 64 bytes as its input, so
// the optimizer drops the stores to the others: every tile has no rows, and its first use is an
// illegal instruction.
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
