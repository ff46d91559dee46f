// The text of one generation: bytes of token pieces in, valid UTF-8 out.
// Holds back a character that is not complete yet (at most 3 bytes) and a tail
// that may be the start of a stop string, and nothing more; returned text is final.
// Knows no tokens and no vocabulary.
// Values that belong to their request. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace infernode {

// Turns bytes into valid UTF-8 as the WHATWG decoder does: each maximal
// invalid part becomes one U+FFFD as soon as no further byte could save it.
class Utf8Repair {
 public:
  // Appends the complete characters to `out`; keeps an incomplete one.
  void append(std::string_view bytes, std::string& out);
  // Appends U+FFFD for an incomplete character, if one is held.
  void finish(std::string& out);

 private:
  void put(unsigned char byte, std::string& out);
  void begin(unsigned char byte, std::string& out);

  std::array<char, 4> held_{};
  std::uint8_t held_size_ = 0;
  std::uint8_t size_ = 0;     // bytes the held character will have
  std::uint8_t lowest_ = 0;   // range of the next continuation byte: rules
  std::uint8_t highest_ = 0;  // out overlongs, surrogates and > U+10FFFF
};

// A value that belongs to its request: copyable and movable, so a preempted
// request continues as if undisturbed.
//
// Stop strings are matched in the repaired text. The stop string that is
// completed first wins; of several completed by the same byte, the longest.
// The text before it is returned, the stop string itself only if `include_stop`, and nothing after
// it. How the bytes are split over calls does not change the joined output.
class TextStream {
 public:
  struct Step {
    std::string text;      // may be empty
    bool stopped = false;  // a stop string was completed: the text has ended
  };

  // Empty stop strings are ignored. `include_stop`: the one that ends the text is part of it.
  explicit TextStream(const std::vector<std::string>& stop = {}, bool include_stop = false);

  // After a stop: returns no text and stopped.
  Step append(std::string_view piece);

  // Ends the text: returns what was held back, an incomplete character as
  // U+FFFD. (That U+FFFD may itself complete a stop string.)
  std::string finish();

 private:
  // One stop string as a Knuth-Morris-Pratt automaton. The text read so far
  // ends with the first `matched` bytes of the pattern, and with no more.
  struct Matcher {
    std::string pattern;
    std::vector<std::uint32_t> border;  // [i]: longest proper border of i+1 bytes
    std::uint32_t matched = 0;
    [[nodiscard]] bool advance(char byte);  // true: the pattern is complete
  };

  static Matcher make_matcher(std::string pattern);
  std::string release(std::string_view text);

  Utf8Repair repair_;
  std::vector<Matcher> matchers_;
  std::string tail_;  // repaired text that was not returned: the longest `matched`
  bool include_stop_ = false;
  bool stopped_ = false;
};

}  // namespace infernode
