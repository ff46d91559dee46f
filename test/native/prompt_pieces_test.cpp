// How prompts are divided into pieces, for every length, capacity, budget and width: the pieces of
// a prompt are all wide or all narrow wherever they can be.
#include "core/scheduling/prompt_pieces.h"

#include "check.h"

using namespace infernode;

namespace {

constexpr std::int32_t kLongest = 150;

// Each gap is also what a shorter budget or a cached prefix leaves of a longer prompt.
template <typename Work>
void for_all(const Work& work) {
  for (const std::int32_t wide : {1, 2, 3, 7, 8, 64}) {
    for (std::int32_t capacity = 1; capacity <= 2 * wide + 9; ++capacity) {
      for (std::int32_t gap = 1; gap <= kLongest; ++gap) {
        for (std::int32_t wanted = 1; wanted <= capacity; ++wanted)
          work(wide, capacity, gap, wanted);
      }
    }
  }
}

}  // namespace

TEST("a piece is no larger than the pass and what is left, and little larger than the budget") {
  for_all([](std::int32_t wide, std::int32_t capacity, std::int32_t gap, std::int32_t wanted) {
    const std::int32_t count = next_piece(wanted, gap, capacity, wide);
    CHECK(count >= 1 && count <= gap && count <= capacity);
    CHECK(count - wanted <= 2 * (wide - 1));
  });
}

TEST("neither a piece nor what it leaves is narrow where the prompt is wide") {
  for_all([](std::int32_t wide, std::int32_t capacity, std::int32_t gap, std::int32_t wanted) {
    const std::int32_t count = next_piece(wanted, gap, capacity, wide);
    if (!pieces_alike(capacity, wide)) return;
    if (gap < wide || capacity < wide) return CHECK(count < wide);
    CHECK(count >= wide);
    CHECK(count == gap || gap - count >= wide);
  });
}

TEST("where a pass has room for little more than one wide piece, few prompts have wide ones only") {
  CHECK(pieces_alike(1, 2) && pieces_alike(15, 8) && pieces_alike(7, 8));
  CHECK(!pieces_alike(2, 2) && !pieces_alike(14, 8) && !pieces_alike(8, 8));
  for (std::int32_t capacity = 8; capacity < 15; ++capacity) {
    CHECK_EQ(next_piece(capacity, 16, capacity, 8), 8);
    CHECK_EQ(next_piece(capacity, 15, capacity, 8), capacity);  // leaves a narrow one
  }
}

TEST("a cache leaves one piece of a prompt to compute, wide where the prompt is") {
  for (const std::int32_t wide : {1, 2, 8, 64}) {
    for (Position rows = 0; rows <= kLongest; ++rows) {
      const Position left = rows - most_cached(rows, wide);
      CHECK_EQ(left, rows >= wide ? wide : std::min(rows, 1));
    }
  }
}
