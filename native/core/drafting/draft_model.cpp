#include "draft_model.h"

#include <algorithm>
#include <utility>

#include "core/running_mean.h"

namespace infernode {

namespace {

constexpr std::size_t kRowsThatPrice = 8;  // fewer rows cost as much as one, and are no measure

}  // namespace

DraftModel::DraftModel(std::unique_ptr<Backend> backend, Clock clock,
                       std::function<void()> meanwhile)
    : backend_(std::move(backend)),
      clock_(std::move(clock)),
      meanwhile_(std::move(meanwhile)),
      limits_(backend_->limits()),
      kernels_(best_sampler_kernels()),
      maxima_(sampler_blocks(static_cast<std::size_t>(limits_.vocabulary_size))),
      sequences_(*backend_) {}

DecodeStatus DraftModel::run(const PassRows& pass) {
  INFERNODE_CHECK(!lost_, "a draft model whose backend is lost is asked for a pass");
  ++passes_;
  const DecodeStatus status = compute(*backend_, pass, meanwhile_);
  lost_ = status == DecodeStatus::kLost;
  return status;
}

// Computes all missing tokens but the last `left` of each request, so that all have equally many
// rows left.
bool DraftModel::catch_up(const std::vector<Assigned>& requests, std::size_t left) {
  for (const Assigned& request : requests) {
    const std::size_t end = request.text.size() - left;
    if (sequences_.missing(request) < left) sequences_.truncate(request.sequence, end);
    if (sequences_.missing(request) > left && !prefill(request, end, false)) return false;
  }
  return true;
}

// Computes the text up to `end`; with `wants_logits`, with logits of every row.
bool DraftModel::prefill(const Assigned& request, std::size_t end, bool wants_logits) {
  sequences_.use(request.sequence);
  while (sequences_.length(request.sequence) < end) {
    const std::size_t begin = sequences_.length(request.sequence);
    const std::size_t count =
        std::min(end - begin, static_cast<std::size_t>(limits_.prefill_capacity));
    const auto tokens = std::span<const TokenId>(request.text).subspan(begin, count);
    std::vector<BatchRow> rows;
    for (std::size_t i = 0; i < count; ++i)
      rows.push_back({tokens[i], request.sequence, static_cast<Position>(begin + i), wants_logits});
    const double started = clock_();
    if (run({rows}) != DecodeStatus::kOk) {
      if (!lost_) sequences_.truncate(request.sequence, 0);
      return false;
    }
    if (count >= kRowsThatPrice) blend(row_ms_, (clock_() - started) / static_cast<double>(count));
    sequences_.append(request.sequence, tokens);
  }
  return true;
}

// The next `width` tokens of each request, sequence ids ascending; nullptr stands for a sequence
// between those of the requests.
DraftModel::Columns DraftModel::columns_of(const std::vector<Assigned>& requests,
                                           std::size_t width) {
  Columns columns;
  for (const Assigned& request : requests) {
    while (limits_.rectangular && !columns.empty() &&
           columns.back().sequence + 1 < request.sequence) {
      const SequenceId padded = columns.back().sequence + 1;
      const std::size_t most = static_cast<std::size_t>(limits_.context_length) - width;
      if (sequences_.length(padded) > most) sequences_.truncate(padded, 0);
      columns.push_back({padded, nullptr});
    }
    columns.push_back({request.sequence, &request});
  }
  return columns;
}

// Computes the next `width` tokens of each request in one pass. Sequences between them get padding
// rows, which are truncated afterwards, as BackendLimits::rectangular asks.
bool DraftModel::decode(const std::vector<Assigned>& requests, std::size_t width) {
  const Columns columns = columns_of(requests, width);
  std::vector<BatchRow> rows;
  for (const auto& [sequence, request] : columns) {
    const std::size_t from = sequences_.length(sequence);
    for (std::size_t i = from; i < from + width; ++i) {
      const TokenId token = request == nullptr ? 0 : request->text[i];
      rows.push_back({token, sequence, static_cast<Position>(i), i + 1 == from + width});
    }
  }
  const double started = clock_();
  const bool computed = run({rows, width == 1}) == DecodeStatus::kOk;
  if (lost_) return false;
  if (computed && width == 1) blend(pass_ms_.at(requests.size()), clock_() - started);
  for (const auto& [sequence, request] : columns) {
    const std::size_t from = sequences_.length(sequence);
    if (computed && request != nullptr) {
      sequences_.append(sequence, std::span<const TokenId>(request->text).subspan(from, width));
      sequences_.use(sequence);
    } else {
      sequences_.truncate(sequence, computed ? from : 0);
    }
  }
  return computed;
}

TokenId DraftModel::likeliest(std::size_t row) {
  const std::span<const float> logits = backend_->logits(row);
  const float maximum = kernels_.maximum(logits.data(), logits.size(), maxima_.data());
  for (std::size_t block = 0; block < maxima_.size(); ++block) {
    if (maxima_[block] != maximum) continue;
    const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(block * kSamplerBlock);
    return static_cast<TokenId>(std::find(begin, logits.end(), maximum) - logits.begin());
  }
  return 0;  // NaN: any draft will do
}

std::vector<std::vector<TokenId>> DraftModel::draft(std::span<const DraftRequest> requests,
                                                    std::size_t length) {
  std::vector<Assigned> assigned = sequences_.assign(requests);
  std::vector<SequenceId> order;  // of the requests: a pass has ascending sequences
  for (const Assigned& one : assigned) order.push_back(one.sequence);
  // After a draft that was accepted completely, two tokens are missing; otherwise one.
  const bool two =
      std::ranges::any_of(assigned, [&](auto& one) { return sequences_.missing(one) > 1; }) &&
      std::ranges::all_of(assigned, [](auto& one) { return one.text.size() > 1; });
  if (!catch_up(assigned, two ? 2 : 1)) return {};
  std::ranges::sort(assigned, {}, &Assigned::sequence);
  std::vector<std::vector<TokenId>> drafts(requests.size());
  for (std::size_t i = 0; i < length; ++i) {
    const std::size_t width = i == 0 && two ? 2 : 1;
    if (!decode(assigned, width)) return {};
    for (std::size_t at = 0; at < assigned.size(); ++at) {
      Assigned& one = assigned[at];
      const std::size_t column =
          limits_.rectangular ? static_cast<std::size_t>(one.sequence - assigned.front().sequence)
                              : at;
      const TokenId token = likeliest(column * width + width - 1);
      one.text.push_back(token);
      const auto request = std::ranges::find(order, one.sequence) - order.begin();
      drafts[static_cast<std::size_t>(request)].push_back(token);
    }
  }
  return drafts;
}

std::vector<bool> DraftModel::verify(const DraftRequest& request, std::size_t last) {
  const std::vector<Assigned> assigned = sequences_.assign({&request, 1});
  const auto& [sequence, text] = assigned.front();
  last = std::min(
      {last, kMostVerified, text.size() - 1,
       static_cast<std::size_t>(std::min(limits_.prefill_outputs, limits_.prefill_capacity))});
  const std::size_t end = text.size() - 1;
  if (last == 0 || sequences_.missing(assigned.front()) <= last)
    sequences_.truncate(sequence, end - last);
  if (!prefill(assigned.front(), end - last, false) || !prefill(assigned.front(), end, true))
    return {};
  std::vector<bool> hits;
  for (std::size_t i = 0; i < last; ++i) hits.push_back(likeliest(i) == text[end - last + 1 + i]);
  return hits;
}

}  // namespace infernode
