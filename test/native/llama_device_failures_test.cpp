// A device that fails in the middle of things, in every way that devices do: whatever call of
// it fails, every request ends exactly once, the process lives, and an engine that can go on
// gives the texts it would have given.
#include <atomic>

#include "check.h"
#include "llama_limited_device.h"
#include "model/llama_facts.h"
#include "synthetic_fixture.h"

using namespace infernode;

namespace {

constexpr RequestId kRequests = 5;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

std::shared_ptr<const LlamaModel> load_on(const Placement& placement) {
  const std::atomic<bool> cancelled{false};
  return LlamaModel::load({.path = embedded_path("q8_0"), .placement = placement}, nullptr,
                          cancelled);
}

GenerateParams greedy() {
  GenerateParams params;
  params.max_tokens = 6;
  params.ignore_eos = true;
  params.sampling.temperature = 0;
  return params;
}

struct Run {
  bool broken = false;
  std::optional<Failure> refused;  // of a request that came later
  std::int64_t failed_passes = 0;
  std::vector<Story> stories;
};

// Five requests for three slots, then one more.
Run run(const std::shared_ptr<const LlamaModel>& model, bool pool) {
  Run result;
  RecordingSink sink;
  ContextOptions options = context_of(3, 32, 256);  // no pass of 64 rows, which round differently
  if (pool) options.cells = 512;
  double now = 0;
  EngineConfig config;
  config.publish_interval_ms = 0;
  config.check_ledger = true;
  Engine engine(std::make_unique<LlamaBackend>(model, options), vocab_of(model), sink, config,
                [&now] { return now += 1; });
  for (RequestId id = 1; id <= kRequests; ++id) {
    std::vector<TokenId> prompt{kBeginOfText};
    for (TokenId token = 0; token < 20 + static_cast<TokenId>(id) * 9; ++token)
      prompt.push_back(100 + (token * static_cast<TokenId>(id)) % 500);
    CHECK(!engine.submit(id, prompt, greedy(), sink.control(id)));
  }
  engine.start();
  sink.wait_for_ends(kRequests);
  result.broken = engine.broken();
  result.failed_passes = engine.stats().failed_passes;
  result.refused = engine.submit(99, {kBeginOfText}, greedy(), sink.control(99));
  engine.close();
  for (RequestId id = 1; id <= kRequests; ++id) {
    result.stories.push_back(sink.story(id));
    CHECK_EQ(sink.story(id).ends.size(), 1u);
  }
  return result;
}

// The call of the device that fails, by its number since the engine was made.
std::vector<std::int64_t> calls_to_try(std::int64_t all) {
  std::vector<std::int64_t> calls;
  for (std::int64_t call = 1; call <= all; call += 1 + call / 6) calls.push_back(call);
  return calls;
}

ErrorCode expected_code(LimitedManner manner) {
  return manner == LimitedManner::kNoMemory ? ErrorCode::kOutOfMemory : ErrorCode::kDeviceFailed;
}

}  // namespace

TEST("whatever computation of a device fails, once or for ever, every request ends once") {
  LimitedDevices& devices = limited_devices(kGiB);
  int survived = 0;
  int broke = 0;
  for (const Placement& placement :
       {Placement{{"Limited0"}, kAllLayers}, Placement{{"Limited0", "Limited1"}, kAllLayers},
        Placement{{"Limited0"}, 3}}) {
    for (const bool pool : {false, true}) {
      const auto model = load_on(placement);
      devices.compute.at = 0;
      devices.compute.calls = 0;
      const Run whole = run(model, pool);
      CHECK(!whole.broken && whole.failed_passes == 0);
      const std::int64_t all = devices.compute.calls;
      for (const LimitedManner manner :
           {LimitedManner::kFails, LimitedManner::kNoMemory, LimitedManner::kThrows}) {
        for (const bool once : {true, false}) {
          for (const std::int64_t call : calls_to_try(all)) {
            devices.manner = manner;
            devices.compute.once = once;
            devices.compute.calls = 0;
            devices.compute.at = call;
            const Run hurt = run(model, pool);
            devices.compute.at = 0;
            CHECK_EQ(hurt.broken, !once);
            CHECK_EQ(hurt.refused.has_value(), !once);
            CHECK(hurt.failed_passes > 0 || !once);
            (once ? survived : broke) += 1;
            if (hurt.refused) {
              CHECK(hurt.refused->code == expected_code(manner));
              CHECK(hurt.refused->message.find("Limited0") != std::string::npos);
            }
            for (std::size_t i = 0; i < kRequests; ++i) {
              const auto& end = hurt.stories[i].ends.front();
              if (once) CHECK(hurt.stories[i].tokens == whole.stories[i].tokens);
              if (end.reason == FinishReason::kError)
                CHECK(end.failure.value().code == expected_code(manner));
            }
          }
        }
      }
    }
  }
  std::printf("%d engines went on, %d broke\n", survived, broke);
  CHECK(survived > 100 && broke > 100);
}

TEST("what llama.cpp would abort the process for on our thread breaks the engine instead") {
  LimitedDevices& devices = limited_devices(kGiB);
  const auto model = load_on({{"Limited0"}, kAllLayers});
  devices.compute.calls = 0;
  const Run whole = run(model, false);
  const std::int64_t all = devices.compute.calls;
  for (const std::int64_t call : calls_to_try(all)) {
    devices.manner = LimitedManner::kAborts;
    devices.compute.once = true;
    devices.compute.calls = 0;
    devices.compute.at = call;
    const Run hurt = run(model, false);
    devices.compute.at = 0;
    CHECK(hurt.broken);
    CHECK(hurt.refused.value().code == ErrorCode::kDeviceFailed);
    CHECK_EQ(hurt.failed_passes, 1);
  }
  devices.manner = LimitedManner::kFails;
  CHECK(run(model, false).stories.front().tokens == whole.stories.front().tokens);
}

TEST("an allocation that fails as a model is loaded or an engine made is no memory") {
  LimitedDevices& devices = limited_devices(kGiB);
  const Placement both{{"Limited0", "Limited1"}, kAllLayers};
  const std::uint64_t before = devices.memory[0].used + devices.memory[1].used;
  int refused = 0;
  const auto attempt = [&](const auto& make) {
    bool reached = true;
    for (std::int64_t call = 1; reached; ++call) {
      devices.allocation.once = false;
      devices.allocation.calls = 0;
      devices.allocation.at = call;
      try {
        make();
      } catch (const Error& error) {
        CHECK_EQ(error_name(error.code()), error_name(ErrorCode::kOutOfMemory));
        ++refused;
      }
      reached = devices.allocation.calls >= call;
      devices.allocation.at = 0;
      CHECK(call < 1000);
    }
  };
  attempt([&] { load_on(both); });
  CHECK_EQ(devices.memory[0].used + devices.memory[1].used, before);
  const auto model = load_on(both);
  const std::uint64_t loaded = devices.memory[0].used + devices.memory[1].used;
  attempt([&] { const LlamaBackend backend(model, context_of(2, 64, 256)); });
  CHECK_EQ(devices.memory[0].used + devices.memory[1].used, loaded);
  CHECK(refused >= 6);
  CHECK(!run(model, false).broken);
}

TEST("facts are of the devices that compute, and deterministic is refused by their names") {
  limited_devices(kGiB);
  const BackendFacts cpu = backend_facts(*load_on({}), true);
  CHECK_EQ(cpu.where, "the CPU");
  CHECK_EQ(cpu.wide_rows, 64);
  CHECK_EQ(backend_facts(*load_on({}), false).wide_rows, 2);
  EngineConfig config;
  config.cache.deterministic = true;
  check_against(cpu, config);
  const auto model = load_on({{"Limited1", "Limited0"}, 2});
  const BackendFacts facts = backend_facts(*model, true);
  CHECK_EQ(facts.where, "Limited1 and Limited0");
  CHECK_EQ(facts.wide_rows, 1);
  CHECK_EQ(facts.cheap_rows, 128);
  const LlamaBackend backend(model, context_of(1, 64, 256));
  CHECK_EQ(backend.limits().facts.where, facts.where);
  try {
    check_against(facts, config);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kInvalidOption);
    CHECK(std::string(error.what())
              .starts_with(
                  "deterministic must be false with layers on Limited1 and Limited0, got true"));
  }
}
