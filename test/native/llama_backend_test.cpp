// The rules of the real backend: what llama.cpp would answer with abort() is
// refused here and changes nothing, and a sequence that was moved, cut or
// stood beside padding goes on as though nothing had happened.
#include <algorithm>
#include <random>

#include "backend_passes.h"
#include "check.h"
#include "model_fixture.h"

using namespace infernode;

namespace {

constexpr std::size_t kEnough = std::size_t{1} << 30;

constexpr std::int32_t kSlots = 4;
constexpr std::int32_t kChunk = 32;
constexpr std::int32_t kContext = 256;

using LogitRow = std::vector<float>;

struct Rig {
  explicit Rig(const char* type = "q8_0", std::int32_t slots = kSlots)
      : model(load_embedded(type)), backend(model, context_of(slots, kChunk, kContext)) {}

  std::vector<BatchRow> rows_of(SequenceId sequence, Position from, Position to) const {
    std::vector<BatchRow> rows;
    for (Position position = from; position < to; ++position)
      rows.push_back({100 + position * 7 % 900, sequence, position});
    return rows;
  }

  void prefill(SequenceId sequence, Position from, Position to) {
    CHECK(run_prefill(backend, rows_of(sequence, from, to)) == DecodeStatus::kOk);
  }

  LogitRow decode_alone(SequenceId sequence, TokenId token) {
    const BatchRow row{token, sequence, backend.resident(sequence)};
    CHECK(run_decode(backend, {&row, 1}, false) == DecodeStatus::kOk);
    const std::span<float> logits = backend.logits(0);
    return {logits.begin(), logits.end()};
  }

  // Continues greedily, alone, and tells the tokens.
  std::vector<TokenId> continuation(SequenceId sequence, TokenId token, int count) {
    std::vector<TokenId> tokens;
    while (count-- > 0) {
      const LogitRow row = decode_alone(sequence, token);
      token = static_cast<TokenId>(std::max_element(row.begin(), row.end()) - row.begin());
      tokens.push_back(token);
    }
    return tokens;
  }

  std::shared_ptr<const LlamaModel> model;
  LlamaBackend backend;
};

// Refused by both calls, and the sequences are as they were.
void expect_refused(Rig& rig, const std::vector<BatchRow>& rows) {
  std::vector<Position> before;
  for (SequenceId slot = 0; slot < kSlots; ++slot) before.push_back(rig.backend.resident(slot));
  CHECK(run_decode(rig.backend, rows, false) == DecodeStatus::kInvalid);
  CHECK(run_prefill(rig.backend, rows) == DecodeStatus::kInvalid);
  for (SequenceId slot = 0; slot < kSlots; ++slot)
    CHECK_EQ(rig.backend.resident(slot), before[static_cast<std::size_t>(slot)]);
}

}  // namespace

TEST("rows that llama.cpp would abort on are refused, and the next pass works") {
  Rig rig;
  rig.prefill(1, 0, 10);
  const std::int32_t vocabulary = rig.backend.limits().vocabulary_size;
  expect_refused(rig, {});
  expect_refused(rig, {{-1, 1, 10}});
  expect_refused(rig, {{vocabulary, 1, 10}});
  expect_refused(rig, {{INT32_MAX, 1, 10}});
  expect_refused(rig, {{5, -1, 0}});
  expect_refused(rig, {{5, kSlots, 0}});
  expect_refused(rig, {{5, 1000000, 0}});
  expect_refused(rig, {{5, 1, 11}});                         // a gap
  expect_refused(rig, {{5, 1, 9}});                          // a place that is taken
  expect_refused(rig, {{5, 1, -1}});                         // no place at all
  expect_refused(rig, {{5, 1, 10}, {5, 1, 10}});             // one place twice
  expect_refused(rig, {{5, 2, 0}, {5, 1, 10}});              // ids that descend
  expect_refused(rig, {{5, 1, 10}, {5, 2, 0}, {5, 1, 11}});  // a sequence in two parts
  expect_refused(rig, rig.rows_of(0, 0, kChunk + 1));        // more rows than a pass takes
  CHECK(rig.continuation(1, 42, 3).size() == 3);
}

TEST("more rows with logits than there are slots are refused") {
  Rig rig;
  CHECK(run_decode(rig.backend, rig.rows_of(0, 0, kSlots + 1), false) == DecodeStatus::kInvalid);
  CHECK_EQ(rig.backend.resident(0), 0);
}

TEST("a position past the context is refused and the full sequence stays") {
  Rig rig;
  for (Position from = 0; from < kContext; from += kChunk) rig.prefill(0, from, from + kChunk);
  expect_refused(rig, {{5, 0, kContext}});
  CHECK_EQ(rig.backend.resident(0), kContext);
}

TEST("ten thousand random row lists never end the process") {
  Rig rig;
  std::mt19937_64 random(7);
  std::int64_t computed = 0;
  for (int round = 0; round < 10000; ++round) {
    std::vector<BatchRow> rows;
    for (std::uint64_t count = random() % 4; rows.size() < count;) {
      const auto slot = static_cast<SequenceId>(random() % (kSlots + 2)) - 1;
      const bool inside = slot >= 0 && slot < kSlots;
      const Position next = inside ? rig.backend.resident(slot) : 0;
      const auto token = static_cast<TokenId>(random() % 1300) - 10;
      rows.push_back({token, slot, next + static_cast<Position>(random() % 8 == 0)});
    }
    computed += run_decode(rig.backend, rows, false) == DecodeStatus::kOk;
    if (random() % 16 == 0) {
      CHECK(rig.backend.truncate(static_cast<SequenceId>(random() % kSlots), 0));
    }
  }
  CHECK(computed > 500);
}

TEST("a restored sequence continues with the same tokens") {
  Rig rig;
  rig.prefill(0, 0, 30);
  const auto expected = rig.continuation(0, 42, 20);
  CHECK(rig.backend.truncate(0, 30));
  CHECK(rig.backend.restore(3, rig.backend.save(0, kEnough)));
  CHECK_EQ(rig.backend.resident(0), 30);
  CHECK_EQ(rig.backend.resident(3), 30);
  CHECK(rig.continuation(3, 42, 20) == expected);
}

TEST("a state is restored into an empty slot only") {
  Rig rig;
  rig.prefill(0, 0, 20);
  rig.prefill(1, 0, 10);
  CHECK(!rig.backend.restore(1, rig.backend.save(0, kEnough)));
  CHECK_EQ(rig.backend.resident(0), 20);
  CHECK_EQ(rig.backend.resident(1), 10);
}

TEST("an empty sequence has no state to save") {
  Rig rig;
  CHECK(rig.backend.save(0, kEnough).empty());
}

TEST("a state larger than allowed is not saved") {
  Rig rig;
  rig.prefill(0, 0, 30);
  const std::size_t size = rig.backend.save(0, kEnough).size();
  CHECK(rig.backend.save(0, size - 1).empty());
  CHECK_EQ(rig.backend.save(0, size).size(), size);
}

TEST("a state of other bytes is refused and leaves the slot empty") {
  Rig rig;
  rig.prefill(0, 0, 30);
  std::vector<std::uint8_t> state = rig.backend.save(0, kEnough);
  state.resize(state.size() / 2);
  CHECK(!rig.backend.restore(1, state));
  CHECK_EQ(rig.backend.resident(1), 0);
}

TEST("a truncated sequence continues as one that never was longer") {
  Rig rig;
  rig.prefill(0, 0, 20);
  const LogitRow expected = rig.decode_alone(0, 42);
  CHECK(rig.backend.truncate(0, 20));
  rig.prefill(0, 20, 30);
  CHECK(rig.backend.truncate(0, 20));
  CHECK_EQ(rig.backend.resident(0), 20);
  CHECK(rig.decode_alone(0, 42) == expected);
}

TEST("truncating beyond the end changes nothing") {
  Rig rig;
  rig.prefill(0, 0, 5);
  CHECK(rig.backend.truncate(0, 5));
  CHECK(rig.backend.truncate(0, 200));
  CHECK(rig.backend.truncate(1, 0));
  CHECK_EQ(rig.backend.resident(0), 5);
}

TEST("a padding row leaves no trace in its own slot nor in its neighbours") {
  Rig rig;
  for (const SequenceId slot : {0, 1, 2}) rig.prefill(slot, 0, 12 + slot);
  const auto with_padding = [&](bool padded) {
    std::vector<BatchRow> rows{{42, 0, 12}};
    if (padded) rows.push_back({0, 1, 13});
    rows.push_back({42, 2, 14});
    CHECK(run_decode(rig.backend, rows, false) == DecodeStatus::kOk);
    std::vector<float> both;
    for (const std::size_t row : {std::size_t{0}, rows.size() - 1}) {
      const std::span<float> logits = rig.backend.logits(row);
      both.insert(both.end(), logits.begin(), logits.end());
    }
    for (const SequenceId slot : {0, 1, 2}) CHECK(rig.backend.truncate(slot, 12 + slot));
    return both;
  };
  const LogitRow before = rig.decode_alone(1, 42);
  CHECK(rig.backend.truncate(1, 13));
  CHECK(with_padding(true) == with_padding(false));
  CHECK_EQ(rig.backend.resident(1), 13);
  CHECK(rig.decode_alone(1, 42) == before);
}

TEST("an interrupted backend fails its passes and does not hang") {
  Rig rig;
  rig.prefill(0, 0, 10);
  rig.backend.interrupt();
  CHECK(run_prefill(rig.backend, rig.rows_of(0, 10, 20)) == DecodeStatus::kFailed);
}

TEST("every weight type loads and generates") {
  for (const char* type : {"f32", "f16", "q8_0", "q4_0", "q4_k"}) {
    Rig rig(type, 1);
    rig.prefill(0, 0, 8);
    for (const float logit : rig.decode_alone(0, 42)) CHECK(std::isfinite(logit));
    CHECK_EQ(rig.continuation(0, 42, 16).size(), std::size_t{16});
  }
}
