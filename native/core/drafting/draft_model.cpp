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
      sequences_(static_cast<std::size_t>(limits_.slots)) {}

std::size_t DraftModel::most() const {
  return std::min(kMostDrafted, static_cast<std::size_t>(limits_.context_length) / 4);
}

std::size_t DraftModel::lag(const DraftReader& reader) const {
  const Place place = place_for(reader, {});
  return reader.known.size() - place.skipped - place.agreed;
}

// The last token is always computed again: the draft comes from its logits.
std::size_t DraftModel::agreement(const Sequence& sequence, std::span<const TokenId> known) const {
  if (known.size() <= sequence.skipped + 1) return 0;
  const std::size_t most = std::min(sequence.tokens.size(), known.size() - sequence.skipped - 1);
  if (most == 0 || sequence.tokens.front() != known.front()) return 0;
  const auto text = known.subspan(sequence.skipped, most);
  const auto parts = std::mismatch(text.begin() + 1, text.end(), sequence.tokens.begin() + 1);
  return static_cast<std::size_t>(parts.first - text.begin());
}

// The reader's own sequence, else the unowned one with the longest common prefix, else the least
// recently used one.
DraftModel::Place DraftModel::place_for(const DraftReader& reader,
                                        const std::vector<SequenceId>& taken) const {
  Place place;
  bool steals = true;
  for (SequenceId id = 0; id < limits_.slots; ++id) {
    const Sequence& sequence = sequences_.at(static_cast<std::size_t>(id));
    const bool own = sequence.owned && sequence.owner == reader.request;
    if (!own && std::ranges::find(taken, id) != taken.end()) continue;
    const std::size_t agreed = own || !sequence.owned ? agreement(sequence, reader.known) : 0;
    if (own) {
      place = {id, agreed > 0 ? sequence.skipped : 0, agreed};
      break;
    }
    const auto older = [&] {
      return sequence.last_used < sequences_[static_cast<std::size_t>(place.sequence)].last_used;
    };
    const bool better = place.sequence == kNoSequence || (steals && !sequence.owned) ||
                        (steals == sequence.owned &&
                         (agreed > place.agreed || (agreed == place.agreed && older())));
    if (!better) continue;
    place = {id, agreed > 0 ? sequence.skipped : 0, agreed};
    steals = sequence.owned;
  }
  const std::size_t size = reader.known.size() - place.skipped;
  const auto context = static_cast<std::size_t>(limits_.context_length);
  if (size - place.agreed <= kMostRead && size + most() <= context) return place;
  const std::size_t tail = std::min({kTail, context / 2, reader.known.size()});
  return {place.sequence, reader.known.size() - tail, 0};
}

std::vector<DraftModel::Reading> DraftModel::settle(std::span<const DraftReader> readers) {
  std::vector<SequenceId> taken;
  for (const DraftReader& reader : readers) {
    for (SequenceId id = 0; id < limits_.slots; ++id) {
      if (at(id).owned && at(id).owner == reader.request) taken.push_back(id);
    }
  }
  std::vector<Reading> readings;
  for (const DraftReader& reader : readers) {
    const Place place = place_for(reader, taken);
    INFERNODE_CHECK(place.sequence != kNoSequence,
                    "the draft model has fewer sequences than readers");
    taken.push_back(place.sequence);
    Sequence& sequence = at(place.sequence);
    cut(place.sequence, place.agreed);
    sequence.owner = reader.request;
    sequence.owned = true;
    sequence.skipped = place.skipped;
    const auto text = reader.known.subspan(place.skipped);
    readings.push_back({place.sequence, {text.begin(), text.end()}});
    readings.back().text.front() = reader.known.front();
  }
  return readings;
}

std::size_t DraftModel::missing(const Reading& reading) const {
  return reading.text.size() -
         sequences_.at(static_cast<std::size_t>(reading.sequence)).tokens.size();
}

// A sliding window may have lost these positions: then the whole sequence is cleared.
void DraftModel::cut(SequenceId sequence, std::size_t length) {
  std::vector<TokenId>& tokens = at(sequence).tokens;
  if (!backend_->truncate(sequence, static_cast<Position>(length))) {
    INFERNODE_CHECK(backend_->truncate(sequence, 0),
                    "a sequence of the draft model cannot be emptied");
    length = 0;
  }
  tokens.resize(std::min(tokens.size(), length));
}

// Computes all missing tokens but the last `left` of each reader, so that all have equally many
// rows left.
bool DraftModel::catch_up(std::vector<Reading>& readings, std::size_t left) {
  for (const Reading& reading : readings) {
    const std::size_t end = reading.text.size() - left;
    if (missing(reading) < left) cut(reading.sequence, end);
    if (missing(reading) > left && !read(reading, end, false)) return false;
  }
  return true;
}

bool DraftModel::read(const Reading& reading, std::size_t end, bool judges) {
  Sequence& sequence = at(reading.sequence);
  sequence.last_used = ++uses_;
  while (sequence.tokens.size() < end) {
    const std::size_t begin = sequence.tokens.size();
    const std::size_t count =
        std::min(end - begin, static_cast<std::size_t>(limits_.prefill_capacity));
    std::vector<BatchRow> rows;
    for (std::size_t i = begin; i < begin + count; ++i)
      rows.push_back({reading.text[i], reading.sequence, static_cast<Position>(i), judges});
    const double started = clock_();
    ++passes_;
    if (compute(*backend_, {rows}, meanwhile_) != DecodeStatus::kOk) {
      cut(reading.sequence, 0);
      return false;
    }
    if (count >= kRowsThatPrice) blend(row_ms_, (clock_() - started) / static_cast<double>(count));
    for (const BatchRow& row : rows) sequence.tokens.push_back(row.token);
  }
  return true;
}

// Computes the next `width` tokens of each reader in one pass. Sequences between them get padding
// rows, which are truncated afterwards, so that llama.cpp does not split the pass.
bool DraftModel::pass(std::vector<Reading>& readings, std::size_t width) {
  std::ranges::sort(readings, {}, &Reading::sequence);
  const SequenceId first = readings.front().sequence;
  const SequenceId last = readings.back().sequence;
  std::vector<BatchRow> rows;
  auto next = readings.begin();
  for (SequenceId id = first; id <= last; ++id) {
    const bool takes_part = next->sequence == id;
    if (!takes_part &&
        at(id).tokens.size() + width > static_cast<std::size_t>(limits_.context_length))
      cut(id, 0);
    const std::size_t from = at(id).tokens.size();
    for (std::size_t i = from; i < from + width; ++i) {
      const TokenId token = takes_part ? next->text[i] : 0;
      rows.push_back({token, id, static_cast<Position>(i), i + 1 == from + width});
    }
    if (takes_part) ++next;
  }
  const double started = clock_();
  ++passes_;
  const DecodeStatus status = compute(*backend_, {rows, width == 1}, meanwhile_);
  const bool computed = status == DecodeStatus::kOk;
  if (computed && width == 1) blend(pass_ms_.at(readings.size()), clock_() - started);
  next = readings.begin();
  for (SequenceId id = first; id <= last; ++id) {
    Sequence& sequence = at(id);
    const bool takes_part = next->sequence == id;
    if (computed && takes_part) {
      const auto from = next->text.begin() + static_cast<std::ptrdiff_t>(sequence.tokens.size());
      sequence.tokens.insert(sequence.tokens.end(), from,
                             from + static_cast<std::ptrdiff_t>(width));
      sequence.last_used = ++uses_;
    } else {
      cut(id, computed ? sequence.tokens.size() : 0);
    }
    if (takes_part) ++next;
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

std::vector<std::vector<TokenId>> DraftModel::draft(std::span<const DraftReader> readers,
                                                    std::size_t length) {
  std::vector<Reading> readings = settle(readers);
  std::vector<SequenceId> order;  // of the readers: pass() sorts the readings
  for (const Reading& reading : readings) order.push_back(reading.sequence);
  // After a draft that was accepted completely, two tokens are missing; otherwise one.
  const bool two = std::ranges::any_of(readings, [&](auto& one) { return missing(one) > 1; }) &&
                   std::ranges::all_of(readings, [](auto& one) { return one.text.size() > 1; });
  if (!catch_up(readings, two ? 2 : 1)) return {};
  std::vector<std::vector<TokenId>> drafts(readers.size());
  for (std::size_t i = 0; i < length; ++i) {
    const std::size_t width = i == 0 && two ? 2 : 1;
    if (!pass(readings, width)) return {};
    for (Reading& reading : readings) {
      const auto place = static_cast<std::size_t>(reading.sequence - readings.front().sequence);
      const TokenId token = likeliest(place * width + width - 1);
      reading.text.push_back(token);
      const auto reader = std::ranges::find(order, reading.sequence) - order.begin();
      drafts[static_cast<std::size_t>(reader)].push_back(token);
    }
  }
  return drafts;
}

std::vector<bool> DraftModel::judge(const DraftReader& reader, std::size_t last) {
  const std::vector<Reading> readings = settle({&reader, 1});
  const Reading& reading = readings.front();
  last = std::min(
      {last, kMostJudged, reading.text.size() - 1,
       static_cast<std::size_t>(std::min(limits_.prefill_outputs, limits_.prefill_capacity))});
  const std::size_t end = reading.text.size() - 1;
  if (last == 0 || missing(reading) <= last) cut(reading.sequence, end - last);
  if (!read(reading, end - last, false) || !read(reading, end, true)) return {};
  std::vector<bool> hits;
  for (std::size_t i = 0; i < last; ++i)
    hits.push_back(likeliest(i) == reading.text[end - last + 1 + i]);
  return hits;
}

void DraftModel::leave(RequestId request) {
  for (Sequence& sequence : sequences_) {
    if (sequence.owner == request) sequence.owned = false;
  }
}

void DraftModel::check() const {
  for (SequenceId id = 0; id < limits_.slots; ++id) {
    const auto held = static_cast<std::size_t>(backend_->resident(id));
    INFERNODE_CHECK(held == sequences_.at(static_cast<std::size_t>(id)).tokens.size(),
                    "a sequence of the draft model has other positions than its books say");
  }
}

}  // namespace infernode
