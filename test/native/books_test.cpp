// The engine proves its books after whatever may have changed them, not after passes only: a step
// that only cancels, and a call to an engine that was idle. Each book that is corrupted is named.
#include <string>
#include <vector>

#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

// What broke, as the next steps say; empty: nothing.
std::string broken_by(EngineFixture& fixture) {
  try {
    fixture.run();
  } catch (const BrokenInvariant& error) {
    return error.what();
  }
  return {};
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A table of two sequences, whose holder knows these tokens.
struct Held {
  Held() {
    table.hold(0, request);
    table.index(request);
  }

  std::vector<TokenId> tokens = fake_prompt(40, 1);
  SequenceTable table{2};
  Request request{1, tokens, GenerateParams{}, std::make_shared<RequestControl>(), 50};
};

// An admission without an engine.
struct Admitting {
  std::optional<Failure> submit(RequestId id) {
    return admission.submit(id, fake_prompt(8, id), GenerateParams{}, sink.control(id));
  }

  BackendLimits limits = fake_limits(2);
  FakeBackend backend{limits};
  RecordingSink sink;
  KvCache cache{backend, {.keeps_prefixes = true}, [] { return 0.0; }};
  Scheduler scheduler{cache};
  Publisher publisher{sink, 0};
  TokenChooser chooser{std::make_shared<FakeVocab>(limits.vocabulary_size)};
  Admission admission{{scheduler, cache, publisher, chooser}, limits, 2, [] { return 0.0; }};
};

}  // namespace

TEST("a step that only cancels is followed by a check of the books") {
  EngineFixture fixture(fake_limits(2));
  CHECK(!fixture.submit(1, fake_prompt(40, 1), 100));
  for (int step = 0; step < 5; ++step) fixture.engine->step();
  fixture.backend->leak(1);
  fixture.cancel(1);
  CHECK(holds(broken_by(fixture), "sequence 1 holds 1 cells"));
}

TEST("what a call changes in an idle engine is checked") {
  EngineFixture fixture(fake_limits(2));
  CHECK(!fixture.submit(1, fake_prompt(40, 1), 5));
  CHECK(fixture.run());
  fixture.engine->call([&](KvCache*) { fixture.backend->leak(1); });
  CHECK(holds(broken_by(fixture), "sequence 1 holds 1 cells"));
}

TEST("a number of holders that is not that of the requests is found") {
  Held held;
  held.table.check();
  Request other(2, fake_prompt(40, 2), GenerateParams{}, std::make_shared<RequestControl>(), 50);
  held.table.hold(1, other);
  held.table.check();
  held.table.move(held.request, 1);  // which must be empty, and is not
  CHECK_THROWS(BrokenInvariant, held.table.check());
}

TEST("a holder that knows another sequence than it holds is found") {
  Held held;
  held.request.progress.sequence = 1;
  CHECK_THROWS(BrokenInvariant, held.table.check());
}

TEST("a held sequence that is found by other tokens than its request has is found out") {
  Held held;
  held.request.progress.known.push_back(3);  // not indexed yet
  held.table.check();
  held.request.progress.known[20] = 49;
  CHECK_THROWS(BrokenInvariant, held.table.check());
}

TEST("an idle sequence that is found by other tokens than it has is found out") {
  Held held;
  held.table.release(held.request);
  CHECK_THROWS(BrokenInvariant, held.table.check());  // neither kept nor cleared
  held.table.keep(0, held.tokens, "");
  held.table.check();
  const_cast<std::vector<TokenId>&>(held.table.tokens(0)).pop_back();
  CHECK_THROWS(BrokenInvariant, held.table.check());
  held.table.clear(0);
  held.table.check();
}

TEST("living requests that are counted wrongly are found, wherever they are") {
  Admitting made;
  CHECK(!made.submit(1));
  made.admission.call([](KvCache*) {});
  made.admission.check();  // one in the mailbox
  CHECK(made.admission.take_arrivals());
  CHECK(!made.admission.take_arrivals());
  CHECK(!made.submit(2));
  made.admission.check();  // one in the scheduler too
  CHECK(made.submit(3)->code == ErrorCode::kQueueFull);
  made.admission.check();
  made.admission.living().fetch_sub(1);
  CHECK_THROWS(BrokenInvariant, made.admission.check());
  made.admission.living().fetch_add(1);
  made.scheduler.remove(*made.scheduler.living().front());
  CHECK_THROWS(BrokenInvariant, made.admission.check());
}

TEST("tokens outside the vocabulary are refused, by the name of their option") {
  Admitting made;
  for (const TokenId wrong : {-1, 50, 1 << 30}) {
    GenerateParams params;
    params.allowed_tokens = {2, wrong};
    const auto allowed = made.admission.submit(1, {2, 3}, params, made.sink.control(1));
    CHECK(allowed && allowed->option == "allowedTokens");
    CHECK(allowed && holds(allowed->message, "0 to 49, got " + std::to_string(wrong)));
    params.allowed_tokens = {};
    params.bad_phrases = {{2}, {3, wrong}};
    const auto phrase = made.admission.submit(1, {2, 3}, params, made.sink.control(1));
    CHECK(phrase && phrase->option == "badWords");
    const auto prompt = made.admission.submit(1, {2, wrong}, {}, made.sink.control(1));
    CHECK(prompt && prompt->option == "prompt");
  }
  made.admission.check();
}
