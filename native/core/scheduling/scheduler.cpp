#include "scheduler.h"

#include <algorithm>
#include <utility>

namespace infernode {

namespace {

// Padding of at most one row in eight is cheaper than copying a sequence's
// state; the bar is 15 % of all rows.
constexpr std::int32_t kRowsPerPaddingRow = 8;
// Steps of one set of adapters while others wait: another set costs a rebuilt graph.
constexpr std::int32_t kStepsPerTurn = 4;

std::int32_t rows_of(std::int32_t size, std::int32_t least_gap, std::int32_t capacity) {
  return size * std::min(least_gap, capacity / size);
}

}  // namespace

Scheduler::Scheduler(const BackendLimits& limits, const KvCache& cache)
    : limits_(limits), cache_(cache) {}

void Scheduler::accept(std::unique_ptr<Request>& request) {
  request->progress.arrival = next_arrival_++;
  living_.push_back(std::move(request));
}

std::vector<Request*> Scheduler::review() {
  std::vector<Request*> cancelled;
  for (const auto& request : living_) {
    request->progress.paused = request->lagging();
    if (request->cancelled()) cancelled.push_back(request.get());
  }
  return cancelled;
}

std::int32_t Scheduler::waiting() const {
  return static_cast<std::int32_t>(living_.size()) - cache_.running();
}

std::vector<Request*> Scheduler::paused_in_the_way() const {
  std::int32_t wanted = -cache_.free_places();
  for (const auto& request : living_) {
    if (!request->progress.has_place() && !request->progress.paused) ++wanted;
  }
  std::vector<Request*> found;
  for (auto it = living_.rbegin(); it != living_.rend() && wanted > 0; ++it) {
    if (!(*it)->progress.paused || !(*it)->progress.has_place()) continue;
    found.push_back(it->get());
    --wanted;
  }
  return found;
}

std::vector<Request*> Scheduler::admissible() const {
  std::vector<Request*> admitted;
  for (const auto& request : living_) {
    if (static_cast<std::int32_t>(admitted.size()) == cache_.free_places()) break;
    if (!request->progress.has_place() && !request->progress.paused)
      admitted.push_back(request.get());
  }
  return admitted;
}

Request* Scheduler::isolated() const {
  for (const auto& request : living_) {
    const Progress& progress = request->progress;
    if (progress.isolated && progress.has_place() && !progress.paused) return request.get();
  }
  return nullptr;
}

// While an isolated request runs, it runs alone, so that only it can fail.
bool Scheduler::runs(const Request& request) const {
  if (!request.progress.has_place() || request.progress.paused) return false;
  if (request.spec.params.adapters != turn_) return false;
  const Request* alone = isolated();
  return alone == nullptr || alone == &request;
}

// Of those that would compute something, in order of arrival.
std::vector<AdapterScales> Scheduler::adapters_in_use() const {
  if (const Request* alone = isolated()) return {alone->spec.params.adapters};
  std::vector<AdapterScales> found;
  for (const auto& request : living_) {
    if (!request->progress.has_place() || request->progress.paused || request->progress.awaits())
      continue;
    const AdapterScales& adapters = request->spec.params.adapters;
    if (std::ranges::find(found, adapters) == found.end()) found.push_back(adapters);
  }
  return found;
}

bool Scheduler::take_turn() {
  const std::vector<AdapterScales> wanted = adapters_in_use();
  std::erase_if(turns_, [&](const AdapterScales& waiting) {
    return std::ranges::find(wanted, waiting) == wanted.end();
  });
  for (const AdapterScales& adapters : wanted) {
    if (adapters != turn_ && std::ranges::find(turns_, adapters) == turns_.end())
      turns_.push_back(adapters);
  }
  if (turns_.empty()) {
    turn_steps_ = 0;
    return false;
  }
  const bool goes_on = std::ranges::find(wanted, turn_) != wanted.end();
  if (goes_on && ++turn_steps_ < kStepsPerTurn) return false;
  if (goes_on) turns_.push_back(turn_);
  turn_ = turns_.front();
  turns_.erase(turns_.begin());
  turn_steps_ = 0;
  return true;
}

bool Scheduler::generates() const {
  return std::ranges::any_of(living_, [](const auto& request) {
    return request->progress.has_place() && !request->progress.paused &&
           request->progress.ready_to_decode();
  });
}

std::vector<SequenceId> Scheduler::decoding_slots() const {
  std::vector<SequenceId> decoding;
  const Request* alone = isolated();
  for (SequenceId slot = 0; slot < cache_.size(); ++slot) {
    const Request* request = cache_.holder(slot);
    if (request == nullptr || request->progress.paused || !request->progress.ready_to_decode())
      continue;
    if (request->spec.params.adapters != turn_ || (alone != nullptr && alone != request)) continue;
    decoding.push_back(slot);
  }
  return decoding;
}

std::optional<SlotMove> Scheduler::next_move() const {
  if (limits_.unified) return std::nullopt;
  const std::vector<SequenceId> decoding = decoding_slots();
  if (decoding.size() < 2) return std::nullopt;
  const SequenceId lowest = decoding.front();
  const SequenceId highest = decoding.back();
  const std::int32_t rows = highest - lowest + 1;
  const std::int32_t padding = rows - static_cast<std::int32_t>(decoding.size());
  const std::int32_t allowed = limits_.pads_decode ? rows / kRowsPerPaddingRow : 0;
  if (padding <= allowed) return std::nullopt;
  std::optional<SlotMove> wanted;
  for (SequenceId slot = lowest + 1; slot < highest; ++slot) {
    if (cache_.holder(slot) != nullptr) continue;
    if (cache_.length(slot) == 0) return SlotMove{highest, slot};
    if (!wanted) wanted = SlotMove{highest, slot};
  }
  return wanted;
}

std::vector<DecodeRow> Scheduler::plan_decode() const {
  std::vector<DecodeRow> rows;
  const std::vector<SequenceId> decoding = decoding_slots();
  const bool pads = limits_.pads_decode && !limits_.unified;
  for (const SequenceId slot : decoding) {
    while (pads && !rows.empty() && rows.back().row.sequence + 1 < slot) {
      const SequenceId hole = rows.back().row.sequence + 1;
      rows.push_back({{0, hole, cache_.length(hole)}, nullptr});
    }
    Request* request = cache_.holder(slot);
    rows.push_back({{request->progress.known.back(), slot, request->progress.computed}, request});
  }
  return rows;
}

// Rows a request still wants prefilled; none when its next row is a decode row.
std::int32_t Scheduler::wanted_rows(const Request& request) const {
  if (!runs(request) || request.progress.awaits() || request.progress.gap() <= 1) return 0;
  const std::int32_t gap =
      request.progress.gap() - (request.spec.params.embeds ? 1 : 0);  // its last row decodes
  if (request.progress.checkpoints.empty()) return gap;
  return std::min(gap, request.progress.checkpoints.front() - request.progress.computed);
}

// Cuts a prompt so that its rows stay on one side of wide_rows, as they would
// in one pass: neither this piece nor what is left of it becomes a narrow one.
// May exceed the budget by less than wide_rows twice, the backend's capacity never:
// where no pass can be wide, all pieces are narrow.
std::int32_t Scheduler::even_count(std::int32_t count, std::int32_t gap,
                                   std::int32_t capacity) const {
  const std::int32_t wide = limits_.facts.wide_rows;
  if (gap < wide || capacity < wide) return count;
  if (count == gap || count == capacity) return count;
  if (gap < 2 * wide) return std::min(gap, capacity);
  return std::clamp(count, wide, gap - wide);
}

// Whether a pass of `count` rows of a prompt computes them as a pass of its own
// would.
bool Scheduler::may_share(std::int32_t gap, std::int32_t count) const {
  return gap < limits_.facts.wide_rows || even_count(count, gap, limits_.prefill_capacity) == count;
}

// Whether a request's rows have logits, of which a pass has few.
bool Scheduler::reads_alone(SequenceId slot) const {
  const Request* request = cache_.holder(slot);
  return request != nullptr && request->tells_prompt();
}

PrefillGroup Scheduler::group_alone(SequenceId slot, std::int32_t budget, std::int32_t gap) const {
  const std::int32_t capacity = std::min(limits_.prefill_outputs, limits_.prefill_capacity);
  const std::int32_t count = std::min({budget, gap, capacity});
  return {{cache_.holder(slot)}, even_count(count, gap, capacity)};
}

// The seed's prompt decides; neighbours ride along while that makes the pass
// larger and changes nobody's rounding.
PrefillGroup Scheduler::plan_group(SequenceId seed, std::int32_t capacity,
                                   const std::vector<std::int32_t>& gaps) const {
  if (reads_alone(seed)) return group_alone(seed, capacity, gaps[static_cast<std::size_t>(seed)]);
  const auto gap_at = [&](SequenceId slot) {
    return slot < 0 || slot >= cache_.size() ? 0 : gaps[static_cast<std::size_t>(slot)];
  };
  SequenceId first = seed;
  SequenceId last = seed;
  std::int32_t least = gap_at(seed);
  const auto size = [&] { return last - first + 1; };
  const auto grows = [&](SequenceId slot) {
    const std::int32_t gap = gap_at(slot);
    if (gap == 0 || reads_alone(slot)) return false;
    const std::int32_t shared = std::min(least, gap);
    if (rows_of(size() + 1, shared, capacity) <= rows_of(size(), least, capacity)) return false;
    const std::int32_t count = std::min(shared, capacity / (size() + 1));
    if (!may_share(gap, count)) return false;
    for (SequenceId member = first; member <= last; ++member) {
      if (!may_share(gap_at(member), count)) return false;
    }
    return true;
  };
  while (true) {
    if (grows(last + 1)) {
      least = std::min(least, gap_at(++last));
    } else if (grows(first - 1)) {
      least = std::min(least, gap_at(--first));
    } else {
      break;
    }
  }
  PrefillGroup group{{}, std::min(least, capacity / size())};
  if (size() == 1) group.count = even_count(group.count, least, limits_.prefill_capacity);
  for (SequenceId slot = first; slot <= last; ++slot) group.requests.push_back(cache_.holder(slot));
  return group;
}

std::vector<PrefillGroup> Scheduler::plan_prefill(std::int32_t budget) const {
  std::vector<std::int32_t> gaps(static_cast<std::size_t>(cache_.size()), 0);
  for (SequenceId slot = 0; slot < cache_.size(); ++slot) {
    const Request* request = cache_.holder(slot);
    if (request != nullptr) gaps[static_cast<std::size_t>(slot)] = wanted_rows(*request);
  }
  std::vector<PrefillGroup> groups;
  for (const auto& seed : living_) {  // the oldest prompt first
    if (!seed->progress.has_place()) continue;
    while (budget > 0 && gaps[static_cast<std::size_t>(seed->progress.sequence)] > 0) {
      const std::int32_t capacity = std::min(budget, limits_.prefill_capacity);
      PrefillGroup group = plan_group(seed->progress.sequence, capacity, gaps);
      for (const Request* request : group.requests) {
        gaps[static_cast<std::size_t>(request->progress.sequence)] -= group.count;
      }
      budget -= group.count * static_cast<std::int32_t>(group.requests.size());
      groups.push_back(std::move(group));
      // What is left of a prompt by one row is a decode row.
      for (const Request* request : groups.back().requests) {
        std::int32_t& gap = gaps[static_cast<std::size_t>(request->progress.sequence)];
        if (gap == 1) gap = 0;
      }
    }
  }
  return groups;
}

std::int32_t Scheduler::prompt_rows() const {
  std::int32_t rows = 0;
  for (const auto& request : living_) rows += wanted_rows(*request);
  return rows;
}

std::int32_t Scheduler::least_rows() const {
  const auto decoding = static_cast<std::int32_t>(decoding_slots().size());
  return decoding > 0 ? decoding : std::min(prompt_rows(), 1);
}

std::vector<PassShare> Scheduler::plan_shared(const std::vector<DecodeRow>& decoding,
                                              std::int32_t budget) const {
  std::vector<PassShare> shares;
  for (const DecodeRow& row : decoding) shares.push_back({row.request, 1});
  const auto taken = static_cast<std::int32_t>(shares.size());
  std::int32_t room = std::min(budget, limits_.prefill_capacity - taken);
  // Every running request may have a row with logits; those that tell of prompts share the rest.
  std::int32_t outputs = std::max(0, limits_.prefill_outputs - cache_.running());
  for (const auto& request : living_) {
    const bool tells = request->tells_prompt();
    const std::int32_t most = tells ? std::min(room, 1 + outputs) : room;
    const std::int32_t count = std::min(wanted_rows(*request), most);
    if (count <= 0) continue;
    if (tells) outputs -= count - 1;
    shares.push_back({request.get(), count});
    room -= count;
  }
  std::ranges::sort(shares, {},
                    [](const PassShare& share) { return share.request->progress.sequence; });
  return shares;
}

Request* Scheduler::first_to_leave() const {
  Request* youngest = nullptr;
  for (auto it = living_.rbegin(); it != living_.rend(); ++it) {
    if (!(*it)->progress.has_place()) continue;
    if ((*it)->progress.paused) return it->get();
    if (youngest == nullptr) youngest = it->get();
  }
  return youngest;
}

const Request* Scheduler::find(RequestId id) const {
  const auto found =
      std::ranges::find(living_, id, [](const auto& request) { return request->spec.id; });
  return found == living_.end() ? nullptr : found->get();
}

std::unique_ptr<Request> Scheduler::remove(Request& request) {
  const auto found = std::find_if(living_.begin(), living_.end(),
                                  [&](const auto& living) { return living.get() == &request; });
  INFERNODE_CHECK(found != living_.end(), "a request ends twice");
  std::unique_ptr<Request> removed = std::move(*found);
  living_.erase(found);
  return removed;
}

bool Scheduler::any_running() const {
  return std::ranges::any_of(living_, [](const auto& request) {
    return request->progress.has_place() && !request->progress.paused;
  });
}

bool Scheduler::runnable() const {
  if (any_running()) return true;
  return std::ranges::any_of(living_, [](const auto& request) {
    return !request->progress.has_place() && !request->progress.paused;
  });
}

}  // namespace infernode
