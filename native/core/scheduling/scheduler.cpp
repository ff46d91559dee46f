#include "scheduler.h"

#include <algorithm>
#include <utility>

namespace infernode {

namespace {

// Steps of one set of adapters while others wait: another set costs a rebuilt graph.
constexpr std::int32_t kStepsPerAdapters = 4;

}  // namespace

void Scheduler::accept(std::unique_ptr<Request>& request) {
  request->progress.arrival = next_arrival_++;
  living_.push_back(std::move(request));
}

std::vector<Request*> Scheduler::read_controls() {
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

std::vector<Request*> Scheduler::paused_to_preempt() const {
  std::int32_t wanted = -cache_.free_slots();
  for (const auto& request : living_) {
    if (!request->progress.has_sequence() && !request->progress.paused) ++wanted;
  }
  std::vector<Request*> found;
  for (auto it = living_.rbegin(); it != living_.rend() && wanted > 0; ++it) {
    if (!(*it)->progress.paused || !(*it)->progress.has_sequence()) continue;
    found.push_back(it->get());
    --wanted;
  }
  return found;
}

std::vector<Request*> Scheduler::admissible() const {
  std::vector<Request*> admitted;
  for (const auto& request : living_) {
    if (static_cast<std::int32_t>(admitted.size()) == cache_.free_slots()) break;
    if (!request->progress.has_sequence() && !request->progress.paused)
      admitted.push_back(request.get());
  }
  return admitted;
}

Request* Scheduler::isolated() const {
  for (const auto& request : living_) {
    const Progress& progress = request->progress;
    if (progress.isolated && progress.has_sequence() && !progress.paused) return request.get();
  }
  return nullptr;
}

// While an isolated request runs, it runs alone, so that only it can fail.
bool Scheduler::runs(const Request& request, const Request* alone) const {
  if (!request.progress.has_sequence() || request.progress.paused) return false;
  if (request.spec.params.adapters != active_adapters_) return false;
  return alone == nullptr || alone == &request;
}

// Of those that would compute something, in order of arrival.
std::vector<AdapterScales> Scheduler::adapters_in_use() const {
  if (const Request* alone = isolated()) return {alone->spec.params.adapters};
  std::vector<AdapterScales> found;
  for (const auto& request : living_) {
    if (!request->progress.has_sequence() || request->progress.paused || request->progress.awaits())
      continue;
    const AdapterScales& adapters = request->spec.params.adapters;
    if (std::ranges::find(found, adapters) == found.end()) found.push_back(adapters);
  }
  return found;
}

bool Scheduler::choose_adapters() {
  const std::vector<AdapterScales> wanted = adapters_in_use();
  std::erase_if(waiting_adapters_, [&](const AdapterScales& waiting) {
    return std::ranges::find(wanted, waiting) == wanted.end();
  });
  for (const AdapterScales& adapters : wanted) {
    if (adapters != active_adapters_ &&
        std::ranges::find(waiting_adapters_, adapters) == waiting_adapters_.end())
      waiting_adapters_.push_back(adapters);
  }
  if (waiting_adapters_.empty()) {
    steps_of_active_ = 0;
    return false;
  }
  const bool goes_on = std::ranges::find(wanted, active_adapters_) != wanted.end();
  if (goes_on && ++steps_of_active_ < kStepsPerAdapters) return false;
  if (goes_on) waiting_adapters_.push_back(active_adapters_);
  active_adapters_ = waiting_adapters_.front();
  waiting_adapters_.erase(waiting_adapters_.begin());
  steps_of_active_ = 0;
  return true;
}

bool Scheduler::generates() const {
  return std::ranges::any_of(living_, [](const auto& request) {
    return request->progress.has_sequence() && !request->progress.paused &&
           request->progress.ready_to_decode();
  });
}

std::vector<Request*> Scheduler::decoding() const {
  std::vector<Request*> found;
  const Request* alone = isolated();
  for (SequenceId slot = 0; slot < cache_.size(); ++slot) {
    Request* request = cache_.holder(slot);
    if (request != nullptr && request->progress.ready_to_decode() && runs(*request, alone))
      found.push_back(request);
  }
  return found;
}

std::int32_t Scheduler::prompt_rows(const Request& request) const {
  if (!runs(request, isolated()) || request.progress.awaits() || request.progress.gap() <= 1)
    return 0;
  const std::int32_t gap =
      request.progress.gap() - (request.spec.params.embeds ? 1 : 0);  // its last row decodes
  if (request.progress.checkpoints.empty()) return gap;
  return std::min(gap, request.progress.checkpoints.front() - request.progress.computed);
}

std::int32_t Scheduler::prompt_rows() const {
  std::int32_t rows = 0;
  for (const auto& request : living_) rows += prompt_rows(*request);
  return rows;
}

std::int32_t Scheduler::least_rows() const {
  const auto generating = static_cast<std::int32_t>(decoding().size());
  return generating > 0 ? generating : std::min(prompt_rows(), 1);
}

Request* Scheduler::preemption_candidate() const {
  Request* youngest = nullptr;
  for (auto it = living_.rbegin(); it != living_.rend(); ++it) {
    if (!(*it)->progress.has_sequence()) continue;
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

void Scheduler::remove(Request& request) {
  const auto found = std::find_if(living_.begin(), living_.end(),
                                  [&](const auto& living) { return living.get() == &request; });
  INFERNODE_CHECK(found != living_.end(), "a request ends twice");
  living_.erase(found);
}

bool Scheduler::any_running() const {
  return std::ranges::any_of(living_, [](const auto& request) {
    return request->progress.has_sequence() && !request->progress.paused;
  });
}

bool Scheduler::runnable() const {
  if (any_running()) return true;
  return std::ranges::any_of(living_, [](const auto& request) {
    return !request->progress.has_sequence() && !request->progress.paused;
  });
}

}  // namespace infernode
