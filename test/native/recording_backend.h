// A backend around another one that keeps a copy of every row of logits the
// engine was given, under the tokens the row was computed from. It mirrors
// each sequence's tokens by the calls alone, so it needs no word of the
// engine's plan, and counts what contradicts its mirror.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/backend.h"

namespace infernode {

using LogitRow = std::vector<float>;

// Rows by the tokens before them; filled by the engine, read by the test.
struct LogitRecord {
  std::map<std::vector<TokenId>, LogitRow> rows;
  std::int64_t contradictions = 0;  // rows at a position the mirror does not expect
};

class RecordingBackend final : public Backend {
 public:
  // `record` outlives the backend.
  RecordingBackend(std::unique_ptr<Backend> inner, LogitRecord& record)
      : inner_(std::move(inner)),
        record_(record),
        histories_(
            static_cast<std::size_t>(inner_->limits().slots + inner_->limits().idle_sequences)) {}

  const BackendLimits& limits() const override { return inner_->limits(); }

  DecodeStatus submit(const PassRows& pass) override {
    rows_.assign(pass.rows.begin(), pass.rows.end());
    for (BatchRow& row : rows_) row.wants_logits = row.wants_logits || pass.one_row_each;
    return inner_->submit(pass);
  }

  DecodeStatus wait() override {
    const DecodeStatus status = inner_->wait();
    if (status != DecodeStatus::kOk) return status;
    extend(rows_);
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      if (rows_[row].wants_logits) keep(row, rows_[row].sequence);
    }
    return status;
  }

  void use_adapters(const AdapterScales& scales) override { inner_->use_adapters(scales); }
  std::span<float> logits(std::size_t row) override { return inner_->logits(row); }

  std::span<const float> embedding(std::size_t row) override { return inner_->embedding(row); }
  bool truncate(SequenceId sequence, Position from) override {
    const bool cut = inner_->truncate(sequence, from);
    auto& tokens = history(sequence);
    if (cut && static_cast<std::size_t>(from) < tokens.size())
      tokens.resize(static_cast<std::size_t>(from));
    return cut;
  }

  Position reusable(SequenceId sequence, Position length) const override {
    return inner_->reusable(sequence, length);
  }

  // Remembers which tokens a saved state stands for.
  std::vector<std::uint8_t> save(SequenceId sequence, std::size_t at_most) override {
    std::vector<std::uint8_t> state = inner_->save(sequence, at_most);
    saved_[{state.begin(), state.end()}] = history(sequence);
    return state;
  }

  bool has_form(std::span<const std::uint8_t> state, Position length) const override {
    return inner_->has_form(state, length);
  }
  bool restore(SequenceId sequence, std::span<const std::uint8_t> state) override {
    const bool restored = inner_->restore(sequence, state);
    if (restored) history(sequence) = saved_.at({state.begin(), state.end()});
    return restored;
  }

  void share(SequenceId from, SequenceId to, Position length) override {
    inner_->share(from, to, length);
    history(to).assign(history(from).begin(), history(from).begin() + length);
  }

  Position resident(SequenceId sequence) const override { return inner_->resident(sequence); }
  void interrupt() override { inner_->interrupt(); }
  std::int64_t setups_reused() const override { return inner_->setups_reused(); }

 private:
  void keep(std::size_t row, SequenceId sequence) {
    const std::span<float> logits = inner_->logits(row);
    record_.rows[history(sequence)].assign(logits.begin(), logits.end());
  }

  std::vector<TokenId>& history(SequenceId sequence) {
    return histories_.at(static_cast<std::size_t>(sequence));
  }

  void extend(std::span<const BatchRow> rows) {
    for (const BatchRow& row : rows) {
      auto& tokens = history(row.sequence);
      if (static_cast<std::size_t>(row.position) != tokens.size()) ++record_.contradictions;
      tokens.push_back(row.token);
    }
  }

  std::unique_ptr<Backend> inner_;
  LogitRecord& record_;
  std::vector<BatchRow> rows_;  // of the last pass
  std::vector<std::vector<TokenId>> histories_;
  std::map<std::string, std::vector<TokenId>> saved_;  // by the bytes of the state
};

}  // namespace infernode
