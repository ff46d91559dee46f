// Text streams against a slow reference that sees the whole input at once, at
// every split of it.
#include "core/text/text_stream.h"

#include <algorithm>
#include <random>

#include "check.h"

using namespace infernode;

namespace {

using Strings = std::vector<std::string>;

const std::string kFffd = "\xEF\xBF\xBD";

// Decodes by code point value: an independent way to the same rule. A broken
// sequence is as long as its longest prefix that some valid character has.
std::string repaired(const std::string& bytes) {
  const auto valid = [](const std::string& text, std::size_t begin, std::size_t size) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[begin + i]); };
    const std::uint32_t masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    std::uint32_t code = byte(0) & masks[size];
    for (std::size_t i = 1; i < size; ++i) {
      if ((byte(i) & 0xC0) != 0x80) return false;
      code = code << 6 | (byte(i) & 0x3F);
    }
    const std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return code >= least[size] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  };
  const auto size_by_lead = [](unsigned char lead) -> std::size_t {
    if (lead < 0x80) return 1;
    if ((lead & 0xE0) == 0xC0) return 2;
    if ((lead & 0xF0) == 0xE0) return 3;
    return (lead & 0xF8) == 0xF0 ? 4 : 0;
  };
  // Can these first bytes be completed to a valid character?
  const auto completable = [&](const std::string& prefix, std::size_t size) {
    for (const char first : {'\x80', '\x90', '\xA0', '\xBF'}) {
      std::string whole = prefix;
      if (whole.size() < size) whole += first;
      while (whole.size() < size) whole += '\x80';
      if (valid(whole, 0, size)) return true;
    }
    return false;
  };
  std::string out;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t size = size_by_lead(static_cast<unsigned char>(bytes[i]));
    std::size_t good = 0;
    while (good < size && i + good < bytes.size() && completable(bytes.substr(i, good + 1), size)) {
      ++good;
    }
    out += size > 0 && good == size ? bytes.substr(i, size) : kFffd;
    i += std::max<std::size_t>(good, 1);
  }
  return out;
}

struct Output {
  std::string text;
  bool stopped = false;
  bool operator==(const Output&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Output& output) {
  return out << '"' << output.text << (output.stopped ? "\" stopped" : "\"");
}

// The stop string that ends first wins, of those the longest.
Output expected(const std::string& bytes, const Strings& stop) {
  const std::string text = repaired(bytes);
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& entry : stop) {
      if (!entry.empty() && text.substr(0, end).ends_with(entry)) {
        longest = std::max(longest, entry.size());
      }
    }
    if (longest > 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

Output streamed(const Strings& pieces, const Strings& stop) {
  TextStream stream(stop);
  Output output;
  for (const std::string& piece : pieces) {
    const TextStream::Step step = stream.append(piece);
    CHECK_EQ(repaired(step.text), step.text);  // each step alone is valid UTF-8
    output.text += step.text;
  }
  output.text += stream.finish();
  output.stopped = stream.append("").stopped;
  return output;
}

void check_all_splits(const std::string& bytes, const Strings& stop) {
  const Output whole = expected(bytes, stop);
  CHECK_EQ(streamed({bytes}, stop), whole);
  Strings single;
  for (const char byte : bytes) single.emplace_back(1, byte);
  CHECK_EQ(streamed(single, stop), whole);
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      CHECK_EQ(streamed({bytes.substr(0, first), bytes.substr(first, second - first),
                         bytes.substr(second)},
                        stop),
               whole);
    }
  }
}

}  // namespace

TEST("text without stop strings passes through at every split") {
  check_all_splits("", {});
  check_all_splits("plain ascii", {});
  check_all_splits("caf\u00e9 \u20ac \U0001F600 \u65e5\u672c", {});
}

TEST("a character is held back until its last byte arrives") {
  TextStream stream;
  CHECK_EQ(stream.append("a\xF0\x9F").text, "a");
  CHECK_EQ(stream.append("\x98").text, "");
  CHECK_EQ(stream.append("\x80z").text, "\U0001F600z");
  CHECK_EQ(stream.finish(), "");
}

TEST("an incomplete character at the end becomes one U+FFFD") {
  for (const char* bytes : {"\xC3", "\xE2\x82", "\xF0\x9F\x98"}) {
    TextStream stream;
    CHECK_EQ(stream.append(bytes).text, "");
    CHECK_EQ(stream.finish(), kFffd);
  }
}

TEST("invalid bytes become U+FFFD as the WHATWG decoder makes them") {
  // What TextDecoder of Node.js 22 answers.
  const std::pair<std::string, std::string> cases[] = {
      {"\x80", kFffd},
      {"\xBF\x80"
       "a",
       kFffd + kFffd + "a"},
      {"\xC0\xAF", kFffd + kFffd},                          // overlong '/'
      {"\xE0\x80\xAF", kFffd + kFffd + kFffd},              // overlong
      {"\xF0\x80\x80\xAF", kFffd + kFffd + kFffd + kFffd},  // overlong
      {"\xED\xA0\x80", kFffd + kFffd + kFffd},              // surrogate
      {"\xF4\x90\x80\x80", kFffd + kFffd + kFffd + kFffd},  // > U+10FFFF
      {"\xF5\xFF", kFffd + kFffd},
      {"\xE2\x82"
       "A",
       kFffd + "A"},                                           // truncated
      {"\xF0\x9F\x98\xF0\x9F\x98\x80", kFffd + "\U0001F600"},  // truncated, then whole
      {"\xF1\x80\x80\xE1\x80\xC2"
       "b\x80"
       "c",
       kFffd + kFffd + kFffd + "b" + kFffd + "c"},
  };
  for (const auto& [bytes, text] : cases) {
    CHECK_EQ(repaired(bytes), text);
    check_all_splits(bytes, {});
  }
}

TEST("a stop string ends the text before it at every split") {
  check_all_splits("hello STOP world", {"STOP"});
  check_all_splits("STOP", {"STOP"});
  check_all_splits("STO", {"STOP"});
  check_all_splits("SSTOSTOPP", {"STOP"});
  check_all_splits("no match here", {"match!", "x"});
}

TEST("repeated prefixes in a stop string are found") {
  check_all_splits("aaab", {"aab"});
  check_all_splits("aaaab tail", {"aaab"});
  check_all_splits("abababac", {"ababac"});
  check_all_splits("abcabcabd", {"abcabd"});
  check_all_splits("\n\n\nUser:", {"\n\nUser:"});
}

TEST("overlapping stop strings: first to end wins, then the longest") {
  CHECK_EQ(streamed({"xabcd"}, {"abcd", "bc"}), (Output{"xa", true}));
  CHECK_EQ(streamed({"xabcd"}, {"bc", "abc"}), (Output{"x", true}));
  CHECK_EQ(streamed({"xabcd"}, {"ab", "abcd"}), (Output{"x", true}));
  check_all_splits("xabcd", {"abcd", "bc"});
  check_all_splits("xabcd", {"bc", "abc"});
  check_all_splits("xabxabcabe", {"abcd", "cab", "abe"});
}

TEST("stop strings may contain characters of several bytes") {
  check_all_splits("un caf\u00e9, svp", {"\u00e9,"});
  check_all_splits("\u65e5\u672c\u8a9e\u3002end", {"\u3002", "\u672c\u8a9e!"});
  check_all_splits("\U0001F600\U0001F601", {"\U0001F601"});
  check_all_splits("\u00e9\u00e8\u00e9\u00ea", {"\u00e9\u00ea"});
}

TEST("a stop string that begins inside a character does not break one") {
  CHECK_EQ(streamed({"caf\u00e9!"}, {"\xA9!"}), (Output{"caf\u00e9!", false}));
  CHECK_EQ(streamed({"ab\xC3"}, {kFffd}), (Output{"ab", true}));  // at the end
}

TEST("only what may become a stop string is held back") {
  TextStream stream({"</answer>"});
  CHECK_EQ(stream.append("4 < 5").text, "4 < 5");
  CHECK_EQ(stream.append(" </").text, " ");
  CHECK_EQ(stream.append("ans").text, "");
  CHECK_EQ(stream.append("werable").text, "</answerable");
  CHECK_EQ(stream.append("<").text, "");
  CHECK_EQ(stream.finish(), "<");
}

TEST("after a stop nothing more is given out") {
  TextStream stream({"END"});
  const TextStream::Step step = stream.append("a END b");
  CHECK_EQ(step.text, "a ");
  CHECK(step.stopped);
  CHECK(stream.append("c").text.empty());
  CHECK(stream.append("c").stopped);
  CHECK_EQ(stream.finish(), "");
}

TEST("empty stop strings are ignored") {
  CHECK_EQ(streamed({"abc"}, {""}), (Output{"abc", false}));
  CHECK_EQ(streamed({"abc"}, {"", "c"}), (Output{"ab", true}));
}

TEST("a copied or moved stream continues where the original was") {
  TextStream original({"STOP"});
  CHECK_EQ(original.append("x\xC3 ST").text, "x" + kFffd + " ");
  CHECK_EQ(original.append("O\xE2\x82").text, "");
  TextStream copy = original;
  CHECK_EQ(copy.append("\xAC").text, "STO\u20ac");
  TextStream moved = std::move(original);
  CHECK_EQ(moved.finish(), "STO" + kFffd);
}

TEST("random bytes and stop strings give the reference's text at random splits") {
  std::mt19937 random(1);
  const Strings alphabet{"a", "b", "\u00e9", "\u20ac", "\xC3", "\x80", "\xED\xA0", "\xF0\x9F"};
  for (int round = 0; round < 20'000; ++round) {
    const auto text_of = [&](std::size_t most, std::size_t letters) {
      std::string text;
      for (std::size_t n = random() % (most + 1); n > 0; --n) text += alphabet[random() % letters];
      return text;
    };
    Strings stop(random() % 4);
    for (std::string& entry : stop) entry = text_of(5, 4);
    const std::string bytes = text_of(24, random() % 2 == 0 ? 3 : alphabet.size());
    Strings pieces;
    for (std::size_t at = 0; at < bytes.size();) {
      pieces.push_back(bytes.substr(at, random() % 5));
      at += pieces.back().size();
    }
    CHECK_EQ(streamed(pieces, stop), expected(bytes, stop));
  }
}
