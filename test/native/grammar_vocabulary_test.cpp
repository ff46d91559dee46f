// Grammars over the vocabulary of a real model, 128,256 tokens: the same tokens
// may follow as llama.cpp lets follow, and whatever a grammar is, judging a token
// or all of them is soon done or refused.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "check.h"
#include "core/grammar/constraint.h"
#include "core/grammar/grammar_cache.h"
#include "llama_grammar_walk.h"
#include "model/llama_model.h"

using namespace infernode;

namespace {

struct Vocabulary {
  std::unique_ptr<llama_model, decltype(&llama_model_free)> model{nullptr, llama_model_free};
  std::shared_ptr<const Vocab> vocab;
  const llama_vocab* raw = nullptr;
};

const Vocabulary& vocabulary() {
  static const Vocabulary loaded = [] {
    llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
    Vocabulary made;
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    made.model.reset(llama_model_load_from_file(INFERNODE_TEST_VOCABULARY, params));
    if (made.model == nullptr)
      throw std::runtime_error("no vocabulary at " INFERNODE_TEST_VOCABULARY);
    made.raw = llama_model_get_vocab(made.model.get());
    made.vocab = std::make_shared<const LlamaVocab>(made.raw);
    return made;
  }();
  return loaded;
}

std::string joined(int count, const std::string& between,
                   const std::function<std::string(int)>& part) {
  std::string all;
  for (int i = 0; i < count; ++i) all += (i == 0 ? "" : between) + part(i);
  return all;
}

// Letters that must come back in another spelling: each word leads elsewhere.
std::string mirror() {
  return "root ::= " +
         joined(26, " | ",
                [](int i) {
                  const std::string letter(1, static_cast<char>('a' + i));
                  return "\"" + letter + "\" root \"" + std::to_string(i) + "\"";
                }) +
         " | \"\"";
}

struct Cost {
  double slowest = 0;  // milliseconds of one mask, or of its refusal
  bool refused = false;
};

Cost cost_of(const std::string& grammar) {
  using Clock = std::chrono::steady_clock;
  Cost cost;
  auto started = Clock::now();
  const auto look = [&] {
    const std::chrono::duration<double, std::milli> took = Clock::now() - started;
    cost.slowest = std::max(cost.slowest, took.count());
  };
  GrammarCache cache(vocabulary().vocab);
  const Vocab& vocab = *vocabulary().vocab;
  std::vector<float> logits(static_cast<std::size_t>(vocab.size()));
  std::mt19937_64 random(1);
  try {
    const auto automaton = cache.find(grammar);
    started = Clock::now();
    Constraint constraint(automaton);
    for (int step = 0; step < 12; ++step) {
      std::ranges::fill(logits, 1.0f);
      started = Clock::now();
      constraint.mask(logits);
      look();
      std::vector<TokenId> open;
      for (TokenId token = 0; token < vocab.size(); ++token)
        if (!std::isinf(logits[static_cast<std::size_t>(token)])) open.push_back(token);
      if (open.empty()) break;
      constraint.accept(vocab.piece(open[random() % open.size()]));
    }
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kInvalidOption);
    look();
    cost.refused = true;
  }
  return cost;
}

}  // namespace

TEST("the same tokens of a large vocabulary may follow as llama.cpp lets follow") {
  Walked walked;
  for (const std::string name : {"json", "c", "chess", "japanese"}) {
    std::stringstream text;
    text << std::ifstream(INFERNODE_TEST_GRAMMARS "/" + name + ".gbnf").rdbuf();
    walk_beside_llama(vocabulary().vocab, vocabulary().raw, text.str(), 1, walked);
  }
  CHECK_EQ(walked.different, 0);
  CHECK(walked.steps > 100);
}

TEST("a mask takes a bounded time or is refused, whatever the grammar") {
  const std::vector<std::string> grammars = {
      mirror(),
      "root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"\"",
      "root ::= [a-z] root \"b\" | [a-z] root \"c\" | \"\"",
      "root ::= [^x]* \"x\" [^x]{1000} | [^y]* \"y\" .{1000} | (.{0,100}){0,19}",
      "root ::= ([a-z]? [a-z]? [a-z]?){600}",
      "root ::= ([a-z ] | \"a\")* \"a\" [a-z ]{1800}",
      "root ::= " + joined(15'000, " ", [](int) { return "[a-z]?"; }),
      "root ::= " +
          joined(9000, " | ", [](int i) { return "\"" + std::to_string(i * 7919) + "\""; }),
      "root ::= r0\n" +
          joined(40, "\n",
                 [](int i) {
                   const std::string next = "r" + std::to_string(i + 1);
                   return "r" + std::to_string(i) + " ::= " + next + " " + next + " | [a-z]";
                 }) +
          "\nr40 ::= [a-z]",
  };
  double slowest = 0;
  for (const std::string& grammar : grammars) slowest = std::max(slowest, cost_of(grammar).slowest);
  std::printf("the slowest mask took %.1f ms\n", slowest);
  CHECK(slowest < 2000);  // generous: sanitizers and a busy machine
}

TEST("grammars of every day are not refused") {
  CHECK(!cost_of("root ::= \"\\\"\" [^\"]{0,2000} \"\\\"\"").refused);
  CHECK(!cost_of("root ::= ([a-z]+ \" \"?)+").refused);
  CHECK(!cost_of("root ::= e\ne ::= t (\"+\" t)*\nt ::= [a-z]+ | \"(\" e \")\"").refused);
}

TEST("what takes long to find out is known before a step needs it") {
  const std::string words =
      "root ::= " + joined(9000, " | ", [](int i) { return "\"w" + std::to_string(i) + "\""; });
  const auto most_work = [&](bool prepared) {
    GrammarCache grammars(vocabulary().vocab);
    const auto automaton = grammars.find(words);
    Constraint constraint(automaton);
    if (prepared) constraint.prepare();
    std::vector<float> logits(static_cast<std::size_t>(vocabulary().vocab->size()));
    std::size_t most = 0;
    for (const char* piece : {"", "w", "1"}) {
      const std::size_t before = automaton->work();
      if (*piece != '\0') constraint.accept(piece);
      constraint.mask(logits);
      most = std::max(most, automaton->work() - before);
    }
    CHECK(!automaton->full());  // the constraint would have left it for a fresh one
    return most;
  };
  const std::size_t unprepared = most_work(false);
  const std::size_t prepared = most_work(true);
  std::printf("most work of a step: %zu, prepared %zu\n", unprepared, prepared);
  CHECK(unprepared > 0);
  CHECK_EQ(prepared, 0U);
}
