// The other Backend: no weights, but the rules of the real one, kept strictly.
// Its logits depend on a sequence's whole history and the adapters in use, and on
// nothing else, so a request's greedy text must be the same alone, batched, moved or
// preempted. A cell knows the adapters it was computed with, and may be read with no
// others.
// Breaks on command: a poisonous token fails every pass that carries it, mishaps fail
// passes by chance, and sequences may refuse to be truncated.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/backend.h"

namespace infernode {

constexpr TokenId kFakeEnd = 1;

inline std::uint64_t fake_hash(std::uint64_t state, TokenId token) {
  state = (state ^ static_cast<std::uint64_t>(token + 1)) * 0x9E3779B97F4A7C15ULL;
  return state ^ (state >> 29);
}

class FakeVocab final : public Vocab {
 public:
  explicit FakeVocab(std::int32_t size) {
    for (TokenId token = 0; token < size; ++token) pieces_.push_back(" t" + std::to_string(token));
  }
  std::int32_t size() const override { return static_cast<std::int32_t>(pieces_.size()); }
  bool is_end_of_generation(TokenId token) const override { return token == kFakeEnd; }
  std::string_view piece(TokenId token) const override {
    return pieces_.at(static_cast<std::size_t>(token));
  }

 private:
  std::vector<std::string> pieces_;
};

class FakeBackend final : public Backend {
 public:
  explicit FakeBackend(BackendLimits limits)
      : limits_(limits),
        histories_(static_cast<std::size_t>(limits.slots + limits.idle_sequences)),
        cells_(histories_.size()),
        oldest_(histories_.size()) {}

  // A pass with this token ends as `status`; kFailed leaves nothing of its sequences as it was.
  void poison(TokenId token, DecodeStatus status) {
    poison_ = token;
    poison_status_ = status;
  }

  // Asked before each pass how it is to end, if it is there.
  std::function<DecodeStatus()> mishap;
  // Sequences can be truncated to nothing only.
  bool only_clears = false;

  // Told of each pass's rows as it is computed: a test's clock may go on by them.
  std::function<void(std::size_t)> computing;
  // Another seed is another model, whose drafts are rejected.
  std::uint64_t seed = 7;
  // At every so-manieth position the logits are another model's; 0: nowhere.
  std::size_t strays = 0;
  // Rows of a sequence that has the limits' wide_rows or more in a pass are computed otherwise, and
  // so is all that reads their cells.
  bool rounds = false;

  std::int64_t decode_calls = 0, prefill_calls = 0, prefill_rows = 0, saves = 0;
  std::int64_t adapter_calls = 0, shares = 0;
  mutable std::int64_t rule_breaks = 0;  // of the rules of backend.h

  const BackendLimits& limits() const override { return limits_; }

  // Told when a pass is in flight, and before wait() ends it.
  std::function<void()> submitted, waiting;
  // Of the last pass.
  const std::vector<BatchRow>& rows() const { return pass_.rows; }

  // An asynchronous backend computes in wait(), so that nothing of a pass is there before.
  DecodeStatus submit(const PassRows& pass) override {
    idle();
    if (lost_) return DecodeStatus::kLost;
    pass_ = {{pass.rows.begin(), pass.rows.end()}, pass.one_row_each};
    embeds_ = pass.embeds;
    ++(pass.one_row_each ? decode_calls : prefill_calls);
    if (pass.one_row_each) {
      check_decode_shape(pass.rows);
    } else {
      prefill_rows += static_cast<std::int64_t>(pass.rows.size());
      if (pass.embeds) ++rule_breaks;
      if (pass.rows.size() > static_cast<std::size_t>(limits_.prefill_capacity)) {
        ++rule_breaks;
        return DecodeStatus::kInvalid;  // as the real one does
      }
      const auto outputs = std::ranges::count_if(pass.rows, &BatchRow::wants_logits);
      if (outputs > std::max(limits_.slots, limits_.prefill_outputs)) ++rule_breaks;
      check_shape(pass.rows);
    }
    status_ = fate(pass.rows);
    if (status_ == DecodeStatus::kNoRoom || status_ == DecodeStatus::kInvalid) return status_;
    if (!limits_.facts.asynchronous) finish();
    in_flight_ = limits_.facts.asynchronous || status_ == DecodeStatus::kOk;
    if (in_flight_ && submitted) submitted();
    return in_flight_ ? DecodeStatus::kOk : ended();
  }

  DecodeStatus wait() override {
    if (!in_flight_) ++rule_breaks;
    if (waiting) waiting();
    in_flight_ = false;
    if (limits_.facts.asynchronous) finish();
    return ended();
  }

  void use_adapters(const AdapterScales& scales) override {
    idle();
    ++adapter_calls;
    const auto known = std::ranges::find(sets_, scales);
    set_ = static_cast<TokenId>(known - sets_.begin());
    if (known == sets_.end()) sets_.push_back(scales);
  }

  std::span<float> logits(std::size_t row) override {
    idle();
    if (mixed_.at(row)) ++rule_breaks;
    return row_of(row);
  }

  std::span<float> row_of(std::size_t row) {
    const auto width = static_cast<std::size_t>(limits_.vocabulary_size);
    return {logits_.data() + row * width, width};
  }

  std::span<const float> embedding(std::size_t row) override {
    idle();
    if (!embeds_) ++rule_breaks;
    embedding_ = {static_cast<float>(row), logits(row)[2], logits(row)[3]};
    return embedding_;
  }

  // A sliding window of `window` positions with the limits' slack behind it: older
  // ones are lost, and lost to saved states too. 0: none; see limits.can_truncate.
  Position window = 0;

  bool truncate(SequenceId sequence, Position from) override {
    idle();
    auto& tokens = history(sequence);
    if (from > 0 && reusable(sequence, from) != from) return false;
    if (from == 0) oldest(sequence) = 0;
    if (from < static_cast<Position>(tokens.size())) tokens.resize(static_cast<std::size_t>(from));
    keep_cells(sequence);
    return true;
  }

  void share(SequenceId from, SequenceId to, Position length) override {
    idle();
    ++shares;
    if (!limits_.unified || !history(to).empty() || length > resident(from)) ++rule_breaks;
    const auto count = static_cast<std::ptrdiff_t>(length);
    history(to).assign(history(from).begin(), history(from).begin() + count);
    auto& source = cells(from);
    cells(to).assign(source.begin(), source.begin() + count);
    for (const std::uint64_t cell : cells(to)) ++holders_[cell];
  }

  // One cell more than the engine asked for.
  void leak(SequenceId sequence) {
    history(sequence).push_back(0);
    keep_cells(sequence);
  }

  // Different cells in use, of one pool; the most there were.
  std::int32_t cells_used() const { return static_cast<std::int32_t>(holders_.size()); }
  std::int32_t most_cells = 0;

  Position reusable(SequenceId sequence, Position length) const override {
    idle();
    if (length >= resident(sequence)) return length;
    if (only_clears) return 0;
    if (limits_.can_truncate) return length;
    const Position there = oldest_.at(static_cast<std::size_t>(sequence));
    return window > 0 && there <= std::max(0, length + 1 - window) ? length : 0;
  }

  std::vector<std::uint8_t> save(SequenceId sequence, std::size_t at_most) override {
    idle();
    ++saves;
    std::vector<std::uint8_t> state;
    for (const TokenId token : history(sequence)) state.push_back(static_cast<std::uint8_t>(token));
    if (state.size() > at_most) state.clear();
    return state;
  }

  // Takes any bytes for a state.
  bool credulous = false;

  bool has_form(std::span<const std::uint8_t> state, Position length) const override {
    idle();
    return credulous || state.size() == static_cast<std::size_t>(length);
  }

  bool restore(SequenceId sequence, std::span<const std::uint8_t> state) override {
    idle();
    if (!history(sequence).empty()) ++rule_breaks;
    history(sequence).assign(state.begin(), state.end());
    keep_cells(sequence);
    if (window > 0) oldest(sequence) = std::max(0, resident(sequence) - window);
    return true;
  }

  Position resident(SequenceId sequence) const override {
    idle();
    return static_cast<Position>(histories_.at(static_cast<std::size_t>(sequence)).size());
  }

  void interrupt() override { interrupted_ = true; }
  bool interrupted() const { return interrupted_; }
  std::int64_t setups_reused() const override {
    idle();
    return 0;
  }

 private:
  struct Submitted {
    std::vector<BatchRow> rows;
    bool one_row_each = false;
  };

  // While a pass is in flight, nothing else may be asked, and after a lost one nothing at all.
  void idle() const { rule_breaks += in_flight_ || lost_ ? 1 : 0; }

  // The status of the pass, which has ended.
  DecodeStatus ended() {
    lost_ = status_ == DecodeStatus::kLost;
    return status_;
  }

  Position& oldest(SequenceId sequence) { return oldest_.at(static_cast<std::size_t>(sequence)); }

  std::vector<std::uint64_t>& cells(SequenceId sequence) {
    return cells_.at(static_cast<std::size_t>(sequence));
  }

  // As many cells as positions.
  void keep_cells(SequenceId sequence) {
    if (!limits_.unified) return;
    auto& mine = cells(sequence);
    const std::size_t wanted = history(sequence).size();
    for (; mine.size() > wanted; mine.pop_back()) {
      if (--holders_[mine.back()] == 0) holders_.erase(mine.back());
    }
    for (; mine.size() < wanted; mine.push_back(next_cell_++)) holders_[next_cell_] = 1;
    most_cells = std::max(most_cells, cells_used());
    if (cells_used() > limits_.cells) ++rule_breaks;
  }

  void check_decode_shape(std::span<const BatchRow> rows) {
    for (std::size_t i = 1; i < rows.size(); ++i) {
      const SequenceId gap = rows[i].sequence - rows[i - 1].sequence;
      if (limits_.rectangular && limits_.rolls_back ? gap != 1 : gap < 1) ++rule_breaks;
    }
  }

  void check_shape(std::span<const BatchRow> rows) {
    const auto first = std::count_if(rows.begin(), rows.end(),
                                     [&](auto& row) { return row.sequence == rows[0].sequence; });
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto sequence =
          rows[0].sequence + static_cast<SequenceId>(i / static_cast<std::size_t>(first));
      const bool ascends = i == 0 || rows[i].sequence >= rows[i - 1].sequence;
      if (limits_.rectangular ? rows[i].sequence != sequence : !ascends) ++rule_breaks;
    }
  }

  std::vector<TokenId>& history(SequenceId sequence) {
    return histories_.at(static_cast<std::size_t>(sequence));
  }

  // How a pass is to end.
  DecodeStatus fate(std::span<const BatchRow> rows) {
    if (interrupted_) return DecodeStatus::kFailed;
    if (computing) computing(rows.size());
    const DecodeStatus status = mishap ? mishap() : DecodeStatus::kOk;
    const bool poisoned =
        poison_ && std::ranges::any_of(rows, [&](auto& row) { return row.token == *poison_; });
    return poisoned ? poison_status_ : status;
  }

  // Computes what was submitted.
  void finish() {
    const std::vector<BatchRow>& rows = pass_.rows;
    if (interrupted_ && status_ != DecodeStatus::kLost) status_ = DecodeStatus::kFailed;
    if (!interrupted_) take(rows);
    if (status_ != DecodeStatus::kOk) return;
    logits_.assign(rows.size() * static_cast<std::size_t>(limits_.vocabulary_size), 0.0f);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!pass_.one_row_each && !rows[i].wants_logits) continue;
      const auto& all = history(rows[i].sequence);
      write_logits(i, {all.begin(), all.begin() + rows[i].position + 1});
    }
  }

  bool is_wide(std::span<const BatchRow> rows, SequenceId sequence) const {
    return rounds &&
           std::ranges::count(rows, sequence, &BatchRow::sequence) >= limits_.facts.wide_rows;
  }

  void take(std::span<const BatchRow> rows) {
    for (const BatchRow& row : rows) {
      if (row.position != resident(row.sequence) || row.position >= limits_.context_length)
        ++rule_breaks;
      const TokenId width = is_wide(rows, row.sequence) ? kWide : 0;
      history(row.sequence).push_back(row.token + set_ * limits_.vocabulary_size + width);
      if (spoils(status_)) std::ranges::fill(history(row.sequence), 0);
      keep_cells(row.sequence);
      if (window == 0) continue;
      const Position kept = resident(row.sequence) - window - limits_.slack;
      oldest(row.sequence) = std::max(oldest(row.sequence), kept);
    }
  }

  void write_logits(std::size_t row, const std::vector<TokenId>& tokens) {
    std::uint64_t state = seed;
    if (strays > 0 && tokens.size() % strays == 0) ++state;
    for (const float scale : sets_[static_cast<std::size_t>(set_)])
      state = fake_hash(state, static_cast<TokenId>(scale * 100));
    mixed_.resize(std::max(mixed_.size(), row + 1));
    mixed_[row] = false;
    for (const TokenId kept : tokens) {
      const TokenId width = rounds ? kept / kWide : 0;
      const TokenId cell = kept - width * kWide;
      state = fake_hash(state, cell % limits_.vocabulary_size + width * limits_.vocabulary_size);
      if (cell / limits_.vocabulary_size != set_) mixed_[row] = true;
    }
    std::span<float> values = row_of(row);
    for (TokenId token = 0; token < limits_.vocabulary_size; ++token) {
      const std::uint64_t bits = fake_hash(state, token) >> 40;
      values[static_cast<std::size_t>(token)] =
          static_cast<float>(bits) / 16777216.0f * 8.0f - (token == kFakeEnd ? 2.0f : 0.0f);
    }
  }

  static constexpr TokenId kWide = 128;  // in a saved state a cell is one byte

  BackendLimits limits_;
  // Per cell its token, plus the vocabulary's size as often as its adapters' number, and kWide.
  std::vector<std::vector<TokenId>> histories_;
  std::vector<std::vector<std::uint64_t>> cells_;
  std::map<std::uint64_t, int> holders_;
  std::uint64_t next_cell_ = 0;
  std::vector<AdapterScales> sets_ = {{}};
  TokenId set_ = 0;               // in use
  std::vector<bool> mixed_;       // rows of the last pass that read other sets' cells
  std::vector<Position> oldest_;  // positions before are lost
  std::vector<float> logits_;
  std::vector<float> embedding_;
  bool embeds_ = false;
  Submitted pass_;
  DecodeStatus status_ = DecodeStatus::kOk;  // of the last pass
  bool in_flight_ = false;
  bool lost_ = false;
  std::optional<TokenId> poison_;
  DecodeStatus poison_status_ = DecodeStatus::kFailed;
  std::atomic<bool> interrupted_{false};
};

}  // namespace infernode
