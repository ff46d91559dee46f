// Grammars: what is refused, and beside llama.cpp's own grammar
// sampler which tokens may follow, on random walks through many grammars.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "check.h"
#include "core/grammar/constraint.h"
#include "core/grammar/grammar_cache.h"
#include "llama_grammar_walk.h"
#include "model_fixture.h"

using namespace infernode;

namespace {

std::string refusal(const std::string& text) {
  try {
    Grammar::parse(text);
  } catch (const Error& error) {
    return error.code() == ErrorCode::kInvalidOption ? error.what() : "another code";
  }
  return "";
}

bool refuses(const std::string& text, const std::string& because) {
  const std::string reason = refusal(text);
  if (reason.find(because) != std::string::npos) return true;
  std::printf("%s: \"%s\"\n", text.substr(0, 60).c_str(), reason.c_str());
  return false;
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

const std::shared_ptr<const LlamaModel>& model() {
  static const std::shared_ptr<const LlamaModel> loaded = load_embedded("q8_0");
  return loaded;
}

// True when the whole text is one of the grammar's.
bool accepts(const std::string& grammar, const std::string& text) {
  GrammarCache cache(vocab_of(model()));
  const auto automaton = cache.find(grammar);
  auto state = automaton->start();
  for (const char& byte : text) state = automaton->after(state, {&byte, 1});
  return state != GrammarAutomaton::kDead && automaton->may_end(state);
}

}  // namespace

TEST("the same tokens may follow as llama.cpp lets follow") {
  std::vector<std::string> grammars = {
      "root ::= \"yes\" | \"no\" | \"not at all\"",
      "root ::= [a-z]+ \" \" [^a-z\\n]{2,4} (\"x\" | \"yz\"?)*",
      "root ::= \"\\u00e9\\U0001F600\" [\\u00e0-\\u00ff]* . .",
      "root ::= item (\",\" ws item)* # a list\nitem ::= [0-9]{1,3}\nws ::= \" \"*",
      "root ::= \"(\" root \")\" | \"\"",
      "root ::= a b c\na ::= \"a\"?\nb ::= \"b\"*\nc ::= (\"c\" | a b)+ \".\"",
  };
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(INFERNODE_TEST_GRAMMARS)) {
    if (entry.path().extension() != ".gbnf") continue;
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    grammars.push_back(text.str());
    ++files;
  }
  CHECK(files >= 8);
  Walked walked;
  for (const std::string& grammar : grammars) {
    for (std::uint64_t seed = 0; seed < 6; ++seed)
      walk_beside_llama(vocab_of(model()), llama_model_get_vocab(model()->handle()), grammar, seed,
                        walked);
  }
  std::printf("%d steps through %zu grammars, %d texts came to an end\n", walked.steps,
              grammars.size(), walked.ends);
  CHECK_EQ(walked.different, 0);
  CHECK(walked.steps > 1000);
  CHECK(walked.ends > 10);
}

TEST("what needs a character of an empty class is no way to begin") {
  const std::string grammar =
      "root ::= (\"<a>\" never \"</a>\")? (\"<b>\" [^\\x00-\\U0010FFFF] | \"<c>\" empty?)\n"
      "never ::= dead | \"d\" dead\ndead ::= \"e\" [] | dead2\ndead2 ::= []\n"
      "empty ::= []+";
  CHECK(accepts(grammar, "<c>"));
  GrammarCache cache(vocab_of(model()));
  const auto automaton = cache.find(grammar);
  const auto begun = automaton->after(automaton->start(), "<");
  CHECK(begun != GrammarAutomaton::kDead);
  for (const std::string_view letter : {"a", "b"})
    CHECK_EQ(automaton->after(begun, letter), GrammarAutomaton::kDead);
  CHECK(accepts("root ::= \"a\" | \"b\" root []", "a"));
  CHECK(refuses("root ::= \"a\" x\nx ::= [] | x2\nx2 ::= \"b\" x []", "allows no text"));
}

TEST("loops over what may be empty end") {
  CHECK(accepts("root ::= (ws \"a\"? ws)* \".\"\nws ::= \" \"*", "  a a ."));
  CHECK(accepts("root ::= ((\"a\"*)*)*", "aaa"));
  CHECK(accepts("root ::= x\nx ::= y | \"b\"\ny ::= x | \"c\"", "c"));
  CHECK(!accepts("root ::= ((\"a\"*)*)*", "ab"));
}

TEST("characters are whole, however their bytes come") {
  const std::string grammar = "root ::= [\\u00e0-\\u00e9]+ \"\\U0001F600\"";
  CHECK(accepts(grammar, "\xc3\xa9\xf0\x9f\x98\x80"));
  CHECK(!accepts(grammar, "\xc3\xaa\xf0\x9f\x98\x80"));
  CHECK(!accepts(grammar, "\xc3"));
  CHECK(!accepts("root ::= .*", "\xc0\x80"));
  CHECK(!accepts("root ::= .*", "\xed\xa0\x80"));
  CHECK(accepts("root ::= .*", "\xf4\x8f\xbf\xbf"));
}

TEST("what is no grammar is refused with its line") {
  CHECK(refuses("root ::= \"a", "line 1 must have a closing quotation mark"));
  CHECK(refuses("root ::= \"a\"\n\nb ::= [a", "line 3 must have a closing bracket"));
  CHECK(refuses("root ::= (\"a\"", "a closing parenthesis"));
  CHECK(refuses("root = \"a\"", "::= after the rule's name"));
  CHECK(refuses("start ::= \"a\"", "a rule named \"root\""));
  CHECK(refuses("root ::= thing", "a rule named \"thing\""));
  CHECK(refuses("root ::= \"a\"\nroot ::= \"b\"", "a name of its own"));
  CHECK(refuses("root ::= \"\\q\"", "one of the escapes"));
  CHECK(refuses("root ::= \"\xff\"", "valid UTF-8"));
  CHECK(refuses("root ::= [z-a]", "ranges in ascending order"));
  CHECK(refuses("root ::= \"a\"{3,2}", "in ascending order"));
  CHECK(refuses("root ::= <[5]> \"a\"", "characters, not tokens"));
  CHECK(refuses("", "a rule named \"root\""));
}

TEST("what begins with itself is refused by its name") {
  CHECK(refuses("root ::= list\nlist ::= list \",\" \"a\" | \"a\"",
                "\"list\" may begin with itself"));
  CHECK(refuses("root ::= a\na ::= b \"x\"\nb ::= c?  a \"y\"\nc ::= \"c\"",
                "may begin with itself"));
  CHECK(refuses("root ::= ws root \"x\" | \"y\"\nws ::= \" \"*", "\"root\" may begin with itself"));
}

// What does not end here ends at ctest's TIMEOUT.
TEST("a grammar that would exhaust memory or stack is refused") {
  CHECK(refuses("root ::= " + repeated("(", 100'000), "nested parentheses"));
  CHECK(refuses("root ::= \"a\"{100000}", "at most 2000 repetitions"));
  CHECK(refuses("root ::= " + repeated("\"aaaaaaaaaaaaaaaaaaaa\"{2000} ", 200), "too large"));
  CHECK(refuses("root ::= \"" + repeated("a", 300'000) + "\"", "too large: it may have 256 KiB"));
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 15'000; ++i)
    chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
  CHECK_EQ(refusal(chain + "r15000 ::= \"a\""), "");
  CHECK(refuses(chain + "r15000 ::= r0 \"a\"", "may begin with itself"));
}

TEST("a grammar may be read in any number of ways at once") {
  std::string grammar = "root ::= s\ns ::= ";
  for (int i = 0; i < 300; ++i) grammar += "\"a\" s \"" + std::to_string(i) + "\" | ";
  grammar += "\"\"";
  CHECK(accepts(grammar, repeated("a", 40) + repeated("7", 40)));
  CHECK(!accepts(grammar, repeated("a", 40) + repeated("7", 39)));
  const std::string twice = "root ::= s\ns ::= \"a\" s \"b\" | \"a\" s [bc] | \"\"";
  CHECK(accepts(twice, repeated("a", 500) + repeated("bc", 250)));
  CHECK(!accepts(twice, repeated("a", 500) + repeated("bc", 249) + "bd"));
  CHECK(accepts("root ::= e\ne ::= t (\"+\" e)?\nt ::= \"x\" | \"(\" e \")\" | \"(\" e+ \")\"",
                repeated("(", 60) + "x" + repeated(")", 60)));
}

TEST("a grammar with too many positions fails its own request") {
  const std::string grammar = "root ::= " + repeated("[a-z]? ", 15'000);
  GrammarCache cache(vocab_of(model()));
  const auto automaton = cache.find(grammar);
  CHECK_THROWS(Error, automaton->after(automaton->start(), repeated("a", 40)));
}

TEST("an automaton that has grown too large is replaced by a new one, in the same state") {
  const std::string grammar = "root ::= s\ns ::= \"(\" s \")\" | \"[\" s \"]\" | \".\"";
  GrammarCache cache(vocab_of(model()));
  auto automaton = cache.find(grammar);
  auto state = automaton->start();
  std::string open;
  while (!automaton->full()) {
    open += open.size() % 3 == 0 ? "[" : "(";
    state = automaton->after(state, open.substr(open.size() - 1));
  }
  auto [fresh, there] = automaton->renewed(state);
  CHECK(!fresh->full());
  std::string close = ".";
  for (auto it = open.rbegin(); it != open.rend(); ++it) close += *it == '(' ? ')' : ']';
  CHECK(fresh->may_end(fresh->after(there, close)));
  CHECK(cache.find(grammar) != automaton);
}

TEST("the same text shares one automaton") {
  GrammarCache cache(vocab_of(model()));
  CHECK(cache.find("root ::= \"a\"") == cache.find("root ::= \"a\""));
  CHECK(cache.find("root ::= \"a\"") != cache.find("root ::= \"b\""));
}
