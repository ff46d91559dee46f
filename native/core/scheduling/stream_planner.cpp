#include "stream_planner.h"

#include <algorithm>
#include <utility>

#include "prompt_pieces.h"

namespace infernode {

namespace {

// Padding of at most one row in eight is cheaper than copying a sequence's state; at most 15 % of
// all rows may be padding.
constexpr std::int32_t kRowsPerPaddingRow = 8;

// What is left of a prompt by one row is a decode row.
std::int32_t prompt_gap(std::int32_t gap) { return gap == 1 ? 0 : gap; }

std::int32_t rows_of(std::int32_t sequences, std::int32_t least_gap, std::int32_t capacity) {
  return sequences * std::min(least_gap, capacity / sequences);
}

std::int32_t gap_at(const std::vector<std::int32_t>& gaps, SequenceId slot) {
  const auto index = static_cast<std::size_t>(slot);
  return slot < 0 || index >= gaps.size() ? 0 : gaps[index];
}

}  // namespace

std::optional<SlotMove> StreamPlanner::next_move() const {
  const std::vector<Request*> decoding = scheduler_.decoding();
  if (decoding.size() < 2) return std::nullopt;
  const SequenceId lowest = decoding.front()->progress.sequence;
  const SequenceId highest = decoding.back()->progress.sequence;
  const std::int32_t rows = highest - lowest + 1;
  const std::int32_t padding = rows - static_cast<std::int32_t>(decoding.size());
  const std::int32_t allowed = limits_.rolls_back ? rows / kRowsPerPaddingRow : 0;
  if (padding <= allowed) return std::nullopt;
  std::optional<SlotMove> wanted;
  for (SequenceId slot = lowest + 1; slot < highest; ++slot) {
    if (cache_.holder(slot) != nullptr) continue;
    if (cache_.length(slot) == 0) return SlotMove{highest, slot};
    if (!wanted) wanted = SlotMove{highest, slot};
  }
  return wanted;
}

std::vector<DecodeRow> StreamPlanner::decode_rows() const {
  std::vector<DecodeRow> rows;
  for (Request* request : scheduler_.decoding()) {
    const SequenceId slot = request->progress.sequence;
    while (limits_.rolls_back && !rows.empty() && rows.back().row.sequence + 1 < slot) {
      const SequenceId hole = rows.back().row.sequence + 1;
      rows.push_back({{0, hole, cache_.length(hole)}, nullptr});
    }
    rows.push_back(decode_row(*request));
  }
  return rows;
}

std::vector<PassShares> StreamPlanner::prompt_passes(std::int32_t budget) {
  Gaps left = gaps();
  std::vector<PassShares> passes;
  for (const auto& seed : scheduler_.living()) {  // the oldest prompt first
    if (!seed->progress.has_sequence()) continue;
    while (budget > 0 && gap_at(left, seed->progress.sequence) > 0) {
      const std::int32_t capacity = std::min(budget, limits_.prefill_capacity);
      const Group group = group_around(seed->progress.sequence, capacity, left);
      PassShares& shares = passes.emplace_back();
      for (SequenceId slot = group.first; slot <= group.last; ++slot) {
        std::int32_t& gap = left[static_cast<std::size_t>(slot)];
        gap = prompt_gap(gap - group.count);
        shares.push_back({cache_.holder(slot), group.count});
      }
      budget -= group.count * group.size();
    }
  }
  return passes;
}

StreamPlanner::Gaps StreamPlanner::gaps() const {
  Gaps found(static_cast<std::size_t>(cache_.size()), 0);
  for (const auto& request : scheduler_.living()) {
    if (request->progress.has_sequence())
      found[static_cast<std::size_t>(request->progress.sequence)] =
          scheduler_.prompt_rows(*request);
  }
  return found;
}

// A group starts from the sequence with the oldest prompt; neighbouring sequences join as long as
// the pass gets more rows and no row is rounded differently than without them.
StreamPlanner::Group StreamPlanner::group_around(SequenceId seed, std::int32_t capacity,
                                                 const Gaps& gaps) const {
  if (wants_row_logits(seed)) return alone(seed, capacity, gap_at(gaps, seed));
  Group group{seed, seed, gap_at(gaps, seed)};  // its count: the least gap
  while (true) {
    if (may_join(group, group.last + 1, capacity, gaps)) {
      group.count = std::min(group.count, gap_at(gaps, ++group.last));
    } else if (may_join(group, group.first - 1, capacity, gaps)) {
      group.count = std::min(group.count, gap_at(gaps, --group.first));
    } else {
      break;
    }
  }
  const std::int32_t least =
      std::exchange(group.count, std::min(group.count, capacity / group.size()));
  if (group.size() == 1) group.count = piece(group.count, least, limits_.prefill_capacity);
  return group;
}

bool StreamPlanner::may_join(const Group& group, SequenceId slot, std::int32_t capacity,
                             const Gaps& gaps) const {
  const std::int32_t gap = gap_at(gaps, slot);
  if (gap == 0 || wants_row_logits(slot)) return false;
  const std::int32_t least = std::min(group.count, gap);
  if (rows_of(group.size() + 1, least, capacity) <= rows_of(group.size(), group.count, capacity))
    return false;
  const std::int32_t count = std::min(least, capacity / (group.size() + 1));
  if (!rounds_alike(gap, count)) return false;
  for (SequenceId member = group.first; member <= group.last; ++member) {
    if (!rounds_alike(gap_at(gaps, member), count)) return false;
  }
  return true;
}

// A pass has few rows with logits: a sequence that wants them of all its rows has a pass of its
// own.
StreamPlanner::Group StreamPlanner::alone(SequenceId slot, std::int32_t budget,
                                          std::int32_t gap) const {
  const std::int32_t capacity = std::min(limits_.prefill_outputs, limits_.prefill_capacity);
  const std::int32_t count = std::min({budget, gap, capacity});
  return {slot, slot, piece(count, gap, capacity)};
}

bool StreamPlanner::wants_row_logits(SequenceId slot) const {
  const Request* request = cache_.holder(slot);
  return request != nullptr && request->scores_prompt();
}

std::int32_t StreamPlanner::piece(std::int32_t wanted, std::int32_t gap,
                                  std::int32_t capacity) const {
  return next_piece(wanted, gap, capacity, limits_.facts.wide_rows);
}

// Whether a pass with `count` rows of a prompt rounds them as a pass of the prompt alone would.
bool StreamPlanner::rounds_alike(std::int32_t gap, std::int32_t count) const {
  return gap < limits_.facts.wide_rows || piece(count, gap, limits_.prefill_capacity) == count;
}

}  // namespace infernode
