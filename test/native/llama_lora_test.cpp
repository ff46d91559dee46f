// Who waits for whom where models have LoRA adapters: llama.cpp's set of them has no lock.
#include <chrono>
#include <cstdlib>
#include <future>
#include <mutex>
#include <shared_mutex>

#include "backend_passes.h"
#include "check.h"
#include "gguf_bytes.h"
#include "llama.h"
#include "model/llama_rows.h"
#include "model_fixture.h"
#include "temporary_file.h"

using namespace infernode;

namespace {

constexpr std::chrono::seconds kHung{60};  // a call that takes so long waits for a lock

// A difference to the tiny llama's queries, of rank 4.
GgufBytes tiny_lora() {
  GgufBytes file;
  file.string("general.type", "adapter").string("general.architecture", "llama");
  file.string("adapter.type", "lora").f32("adapter.lora.alpha", 8);
  file.tensor_f32("blk.0.attn_q.weight.lora_a", {32, 4});
  file.tensor_f32("blk.0.attn_q.weight.lora_b", {4, 32});
  return file;
}

struct Files {
  TemporaryFolder folder;
  std::string model = folder.write("model.gguf", tiny_llama().file());
  std::string lora = folder.write("lora.gguf", tiny_lora().file());

  std::shared_ptr<const LlamaModel> load() const {
    start_llama_runtime(INFERNODE_TEST_BACKENDS);
    const std::atomic<bool> cancelled{false};
    return LlamaModel::load({.path = model}, nullptr, cancelled);
  }

  ContextOptions options(bool adapted) const {
    ContextOptions options = context_of(2, 16, 64);
    if (adapted) options.loras.push_back({"difference", lora, 1});
    return options;
  }
};

bool computes(LlamaBackend& backend) {
  const Position next = backend.resident(0);
  const std::vector<BatchRow> rows = {{7, 0, next, false}, {8, 0, next + 1, true}};
  return run_prefill(backend, rows) == DecodeStatus::kOk;
}

// Whether `work` ends, and says yes, while this thread holds what it holds.
template <typename Work>
bool ends(Work work) {
  std::future<bool> done = std::async(std::launch::async, work);
  if (done.wait_for(kHung) == std::future_status::ready) return done.get();
  std::printf("it waits for a lock\n");
  std::fflush(stdout);
  std::_Exit(1);  // the future would wait too
}

}  // namespace

TEST("an adapter that is being loaded keeps other models from nothing") {
  const Files files;
  const auto loading = files.load();
  const auto other = files.load();
  const std::lock_guard lock(loading->adapter_mutex());  // as load_lora does meanwhile
  CHECK(ends([&] {
    LlamaBackend backend(other, files.options(true));
    backend.use_adapters({0.5f});
    return computes(backend);
  }));
}

TEST("an adapter that is being loaded keeps passes without adapters from nothing") {
  const Files files;
  const auto model = files.load();
  LlamaBackend backend(model, files.options(false));
  const std::lock_guard lock(model->adapter_mutex());
  CHECK(ends([&] { return computes(backend) && computes(backend); }));
}

TEST("a first pass with adapters blocks neither the creation of contexts nor other passes") {
  const Files files;
  const auto model = files.load();
  LlamaBackend adapted(model, files.options(true));
  const std::shared_lock lock(model->adapter_mutex());  // as a pass does meanwhile
  CHECK(ends([&] {
    LlamaBackend backend(model, files.options(false));
    adapted.use_adapters({0.25f});
    return computes(backend) && computes(adapted);
  }));
}

TEST("adapters are loaded, used and freed while others of the model compute") {
  const Files files;
  const auto model = files.load();
  LlamaBackend adapted(model, files.options(true));
  std::atomic<bool> done{false};
  std::future<bool> others = std::async(std::launch::async, [&] {
    bool all = true;
    while (!done) {
      LlamaBackend backend(model, files.options(true));
      all = all && computes(backend);
    }
    return all;
  });
  for (int pass = 0; pass < 30; ++pass) {
    adapted.use_adapters({static_cast<float>(pass)});
    CHECK(computes(adapted));
    CHECK(adapted.truncate(0, 0));
  }
  done = true;
  CHECK(others.get());
}

TEST("a pass's rows lie in the same memory each time") {
  LlamaRows rows(8);
  const std::vector<BatchRow> some = {{3, 0, 5, false}, {4, 1, 9, true}};
  const llama_batch first = rows.batch(some, false);
  CHECK_EQ(first.n_tokens, 2);
  CHECK_EQ(first.token[1], 4);
  CHECK_EQ(first.pos[0], 5);
  CHECK_EQ(first.seq_id[1][0], 1);
  CHECK_EQ(first.n_seq_id[1], 1);
  CHECK_EQ(static_cast<int>(first.logits[0]), 0);
  CHECK_EQ(static_cast<int>(first.logits[1]), 1);
  const llama_batch second = rows.batch({some.data() + 1, 1}, true);
  CHECK(second.token == first.token && second.seq_id == first.seq_id);
  CHECK_EQ(second.seq_id[0][0], 1);
  CHECK_EQ(static_cast<int>(second.logits[0]), 1);
  try {
    static_cast<void>(rows.batch(std::vector<BatchRow>(9), false));
    CHECK(false);
  } catch (const std::exception&) {
  }
}
