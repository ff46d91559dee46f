#include "pool_planner.h"

#include <algorithm>
#include <utility>

namespace infernode {

std::vector<DecodeRow> PoolPlanner::decode_rows() const {
  std::vector<DecodeRow> rows;
  for (Request* request : scheduler_.decoding()) rows.push_back(decode_row(*request));
  return rows;
}

std::size_t PoolPlanner::most_drafted(std::size_t requests) {
  const auto wanted = static_cast<std::int32_t>(requests * (kMostDrafted + 1));
  const auto cells = static_cast<std::size_t>(cache_.make_room(wanted));
  return cells / requests - 1;  // Seating has freed at least one cell per request
}

// Embeddings are a setting of the whole pass (PassRows::embeds), so their rows have one of their
// own.
PassShares PoolPlanner::joint_pass(std::span<const DecodeRow> rows, std::int32_t budget) {
  if (scheduler_.prompt_rows() == 0) return {};
  const bool embeds = std::ranges::any_of(
      rows, [](const DecodeRow& row) { return row.request->spec.params.embeds; });
  return embeds ? PassShares{} : pass_of(rows, budget);
}

std::vector<PassShares> PoolPlanner::prompt_passes(std::int32_t budget) {
  PassShares shares = pass_of({}, budget);
  if (shares.empty()) return {};
  return {std::move(shares)};
}

PassShares PoolPlanner::pass_of(std::span<const DecodeRow> rows, std::int32_t budget) {
  PassShares shares;
  for (const DecodeRow& row : rows) shares.push_back({row.request, 1});
  const auto taken = static_cast<std::int32_t>(shares.size());
  const std::int32_t wanted = taken + std::min(budget, scheduler_.prompt_rows());
  std::int32_t room = std::min(cache_.make_room(wanted), limits_.prefill_capacity) - taken;
  // Every running request may have a row with logits. The other such rows of a pass are shared by
  // the requests that want the logits of all their prompt rows.
  std::int32_t outputs = std::max(0, limits_.prefill_outputs - cache_.running());
  for (const auto& request : scheduler_.living()) {
    const bool scores = request->scores_prompt();
    const std::int32_t most = scores ? std::min(room, 1 + outputs) : room;
    const std::int32_t count = std::min(scheduler_.prompt_rows(*request), most);
    if (count <= 0) continue;
    if (scores) outputs -= count - 1;
    shares.push_back({request.get(), count});
    room -= count;
  }
  std::ranges::sort(shares, {},
                    [](const PassShare& share) { return share.request->progress.sequence; });
  return shares;
}

}  // namespace infernode
