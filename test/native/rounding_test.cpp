// A deterministic engine over a backend that rounds rows by their number in a pass: the text of a
// prompt is the same alone, after a cached prefix of any length and in a crowd with a small budget.
#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

constexpr RequestId kMeasured = 100;
constexpr CacheConfig kKeeps{.keeps_prefixes = true, .host_limit = 0, .deterministic = true};
constexpr CacheConfig kForgets{.keeps_prefixes = false, .host_limit = 0, .deterministic = true};

struct Shape {
  std::int32_t chunk;
  std::int32_t wide;
};
constexpr Shape kShapes[] = {{16, 2}, {3, 2}, {16, 8}, {15, 8}, {17, 8}, {16, 1}, {7, 8}};

struct Rounding {
  Rounding(const Shape& shape, CacheConfig cache, std::int32_t slots)
      : fixture(limits(shape, slots), 100, 0, cache) {
    fixture.backend->rounds = true;
  }
  static BackendLimits limits(const Shape& shape, std::int32_t slots) {
    BackendLimits limits = fake_limits(slots, 256, shape.chunk);
    limits.facts.wide_rows = shape.wide;
    limits.facts.cheap_rows = std::min(3, shape.chunk);  // the smallest budget
    return limits;
  }
  std::vector<TokenId> text_of(std::size_t length) {
    CHECK(!fixture.submit(kMeasured, fake_prompt(length, 1), 3));
    CHECK(fixture.run());
    CHECK_EQ(fixture.backend->rule_breaks, 0);
    return fixture.story(kMeasured).tokens;
  }
  EngineFixture fixture;
};

std::size_t longest(const Shape& shape) {
  return static_cast<std::size_t>(3 * shape.chunk + shape.wide);
}

}  // namespace

TEST("a prompt's end is rounded the same after a cached prefix of any length") {
  for (const Shape& shape : kShapes) {
    for (std::size_t length = 1; length <= longest(shape); ++length) {
      const std::vector<TokenId> expected = Rounding(shape, kForgets, 1).text_of(length);
      for (std::size_t cached = 8; cached <= length; ++cached) {
        Rounding after(shape, kKeeps, 2);
        std::vector<TokenId> other = fake_prompt(cached, 1);
        other.push_back(45);  // in no prompt
        CHECK(!after.fixture.submit(1, other, 1));
        CHECK(after.fixture.run());
        CHECK(after.text_of(length) == expected);
      }
    }
  }
}

TEST("a prompt's end is rounded the same in a crowd whose steps have a small budget") {
  for (const Shape& shape : kShapes) {
    for (std::size_t length = 1; length <= longest(shape); ++length) {
      const std::vector<TokenId> expected = Rounding(shape, kForgets, 1).text_of(length);
      for (const std::size_t others : {1u, 2u, 5u}) {
        Rounding crowd(shape, kKeeps, 6);
        EngineFixture& fixture = crowd.fixture;
        fixture.backend->computing = [&](std::size_t rows) {
          fixture.clock += 40.0 * static_cast<double>(rows);
        };
        CHECK(!fixture.submit(1, fake_prompt(20, 1000), 60));
        for (int step = 0; step < 9; ++step) fixture.engine->step();
        for (RequestId id = 2; id <= others; ++id)
          CHECK(!fixture.submit(id, fake_prompt(7 * id + length / 2, id), 5));
        CHECK(crowd.text_of(length) == expected);
      }
    }
  }
}

// The last row of an embedding prompt is a decode row, so the prompt before it is one shorter.
TEST("an embedding is rounded the same after a cached prefix of any length") {
  GenerateParams embeds;
  embeds.embeds = true;
  for (const Shape& shape : kShapes) {
    for (std::size_t length = 10; length <= longest(shape); length += 3) {
      const auto embedding_of = [&](Rounding& rounding) {
        CHECK(!rounding.fixture.submit(kMeasured, fake_prompt(length, 1), embeds));
        CHECK(rounding.fixture.run());
        CHECK_EQ(rounding.fixture.backend->rule_breaks, 0);
        return rounding.fixture.story(kMeasured).ends.at(0).embedding;
      };
      Rounding alone(shape, kForgets, 1);
      const std::vector<float> expected = embedding_of(alone);
      CHECK_EQ(expected.size(), 3u);
      for (std::size_t cached = 8; cached <= length; ++cached) {
        Rounding after(shape, kKeeps, 2);
        std::vector<TokenId> other = fake_prompt(cached, 1);
        other.push_back(45);
        CHECK(!after.fixture.submit(1, other, 1));
        CHECK(after.fixture.run());
        const std::vector<float> found = embedding_of(after);
        CHECK(std::vector<float>(found.begin() + 1, found.end()) ==
              std::vector<float>(expected.begin() + 1, expected.end()));
      }
    }
  }
}
