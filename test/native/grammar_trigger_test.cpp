// The words from which on a grammar binds: found in whatever pieces they come, not
// inside thoughts, and lost when the text goes on in another way.
#include "core/grammar/grammar_trigger.h"
#include "check.h"
#include "core/grammar/constraint.h"
#include "core/grammar/grammar_cache.h"
#include "fake_backend.h"

using namespace infernode;

namespace {

std::shared_ptr<const GrammarTriggers> triggers(bool thinking = false) {
  return std::make_shared<const GrammarTriggers>(GrammarTriggers{
      {{"<call>", "<call>"}, {"<do>", "<do>"}}, "", "<think>", {"</think>", "<call>"}, thinking});
}

// What the trigger hands on, whole text by pieces of `size` bytes; "-": nothing.
std::string met_by(const std::shared_ptr<const GrammarTriggers>& triggers, const std::string& text,
                   std::size_t size) {
  GrammarTrigger trigger(triggers);
  for (std::size_t at = 0; at < text.size(); at += size) {
    if (const auto found = trigger.append(text.substr(at, size)))
      return *found + text.substr(std::min(text.size(), at + size));
  }
  return "-";
}

std::string met(const std::string& text, std::size_t size, bool thinking = false) {
  return met_by(triggers(thinking), text, size);
}

const char* const kGrammar = R"(root ::= "<call>" [0-9]+ "</call>")";

std::shared_ptr<GrammarAutomaton> automaton() {
  static GrammarCache cache(std::make_shared<FakeVocab>(50));
  return cache.find(kGrammar);
}

}  // namespace

TEST("a trigger word is met in whatever pieces it comes") {
  for (std::size_t size = 1; size <= 20; ++size) {
    CHECK_EQ(met("All is <well><call>12", size), "<call>12");
    CHECK_EQ(met("a <cal<call>3", size), "<call>3");
    CHECK_EQ(met("<do>", size), "<do>");
    CHECK_EQ(met("nothing <cal here", size), "-");
    CHECK_EQ(met("", size), "-");
  }
}

TEST("what is thought triggers nothing, but a thought may end with a trigger word") {
  for (std::size_t size = 1; size <= 20; ++size) {
    CHECK_EQ(met("<think>I could <do> it</think>Yes. <do>1", size), "<do>1");
    CHECK_EQ(met("<think>I could <do> it", size), "-");
    CHECK_EQ(met("hm <do></think> so <do>2", size, true), "<do>2");
    CHECK_EQ(met("hm <call>5", size, true), "<call>5");
    CHECK_EQ(met("hm</think><think>again <do></think><do>7", size, true), "<do>7");
  }
}

TEST("a space of a trigger word stands for white space of any length, and the grammar reads one") {
  const std::string word = R"({ "name" : "f")";
  const auto json =
      std::make_shared<const GrammarTriggers>(GrammarTriggers{{{word, word}}, "", "", {}});
  for (std::size_t size = 1; size <= 40; ++size) {
    for (const char* written :
         {R"({"name":"f")", R"({"name": "f")", "{\n    \"name\" :\r\n\t\"f\""})
      CHECK_EQ(met_by(json, std::string("So: ") + written + ", 1}", size), word + ", 1}");
    CHECK_EQ(met_by(json, R"({"name": "fox"} {"Name": "f"})", size), "-");
    CHECK_EQ(met_by(json, "{" + std::string(60, ' ') + R"("name": "f")", size), "-");
  }
}

TEST("a trigger word may begin in what the prompt ends with, and stand for another text") {
  const auto named = std::make_shared<const GrammarTriggers>(
      GrammarTriggers{{{">>>f\n", "f\n"}}, "<|assistant|>\n\n>>>", "", {}});
  for (std::size_t size = 1; size <= 12; ++size) {
    CHECK_EQ(met_by(named, "f\n{}", size), "f\n{}");
    CHECK_EQ(met_by(named, "all\nf\n{}", size), "-");
    CHECK_EQ(met_by(named, "all\nYes.>>>f\n{}", size), "f\n{}");
  }
}

TEST("a constraint binds from its trigger on") {
  Constraint constraint(automaton(), "", triggers());
  CHECK(!constraint.binds());
  constraint.watch("Let me see. <ca");
  CHECK(!constraint.binds());
  constraint.watch("ll>4");
  CHECK(constraint.binds());
  CHECK(constraint.allows("2"));
  CHECK(!constraint.allows("x"));
  constraint.accept("</call>");
  CHECK(constraint.complete());
}

TEST("a text that does not match the grammar after its trigger is no longer constrained") {
  Constraint constraint(automaton(), "", triggers());
  constraint.watch("<call>oops");
  CHECK(!constraint.binds());
  constraint.watch("<call>12");
  CHECK(!constraint.binds());
}

TEST("a grammar continues where the prompt ended, and refuses a prompt it forbids") {
  const Constraint constraint(automaton(), "<call>1");
  CHECK(constraint.allows("</call>"));
  CHECK(!constraint.allows("<call>"));
  CHECK_THROWS(Error, Constraint(automaton(), "<other>"));
}
