// The fake backend, one of whose calls throws: at a chosen one, once or from then on.
#pragma once

#include <atomic>
#include <new>
#include <stdexcept>

#include "fake_backend.h"

namespace infernode {

enum class Thrown { kNoMemory, kError, kNumber };

class ThrowingBackend final : public Backend {
 public:
  explicit ThrowingBackend(BackendLimits limits) : fake_(limits) {}

  void throw_at(std::int64_t call, Thrown thrown, bool for_ever) {
    at_ = call;
    thrown_ = thrown;
    for_ever_ = for_ever;
  }
  std::int64_t calls() const { return calls_; }
  bool has_thrown() const { return has_thrown_; }

  bool refuses_saves = false;

  const BackendLimits& limits() const override { return fake_.limits(); }
  DecodeStatus submit(const PassRows& pass) override {
    count();
    return fake_.submit(pass);
  }
  DecodeStatus wait() override {
    const DecodeStatus status = fake_.wait();
    count();
    return status;
  }
  void use_adapters(const AdapterScales& scales) override {
    count();
    fake_.use_adapters(scales);
  }
  std::span<float> logits(std::size_t row) override {
    count();
    return fake_.logits(row);
  }
  std::span<const float> embedding(std::size_t row) override {
    count();
    return fake_.embedding(row);
  }
  bool truncate(SequenceId sequence, Position from) override {
    count();
    return fake_.truncate(sequence, from);
  }
  Position reusable(SequenceId sequence, Position length) const override {
    count();
    return fake_.reusable(sequence, length);
  }
  std::vector<std::uint8_t> save(SequenceId sequence, std::size_t at_most) override {
    if (refuses_saves) throw std::bad_alloc();
    count();
    return fake_.save(sequence, at_most);
  }
  bool has_form(std::span<const std::uint8_t> state, Position length) const override {
    return fake_.has_form(state, length);
  }
  bool restore(SequenceId sequence, std::span<const std::uint8_t> state) override {
    count();
    return fake_.restore(sequence, state);
  }
  void share(SequenceId from, SequenceId to, Position length) override {
    count();
    fake_.share(from, to, length);
  }
  Position resident(SequenceId sequence) const override {
    count();
    return fake_.resident(sequence);
  }
  void interrupt() override { fake_.interrupt(); }
  std::int64_t setups_reused() const override {
    count();
    return fake_.setups_reused();
  }

 private:
  void count() const {
    const std::int64_t call = calls_++;
    if (at_ < 0 || (for_ever_ ? call < at_ : call != at_)) return;
    has_thrown_ = true;
    if (thrown_ == Thrown::kNoMemory) throw std::bad_alloc();
    if (thrown_ == Thrown::kError) throw std::runtime_error("the backend is gone");
    throw 42;
  }

  FakeBackend fake_;
  mutable std::int64_t calls_ = 0;  // of those that may throw
  mutable std::atomic<bool> has_thrown_ = false;
  std::int64_t at_ = -1;
  Thrown thrown_ = Thrown::kError;
  bool for_ever_ = false;
};

}  // namespace infernode
