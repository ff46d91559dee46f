// Bytes go through two small automata: one that repairs UTF-8, then one per
// stop string. Each looks at a byte once, so a token costs the length of its
// piece, whatever is held back.
#include "text_stream.h"

#include <algorithm>
#include <utility>

namespace infernode {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::uint8_t kContinuationLow = 0x80;
constexpr std::uint8_t kContinuationHigh = 0xBF;

}  // namespace

void Utf8Repair::append(std::string_view bytes, std::string& out) {
  for (const char byte : bytes) put(static_cast<unsigned char>(byte), out);
}

void Utf8Repair::finish(std::string& out) {
  if (held_size_ > 0) out += kReplacement;
  held_size_ = 0;
}

void Utf8Repair::put(unsigned char byte, std::string& out) {
  if (held_size_ == 0) return begin(byte, out);
  if (byte < lowest_ || byte > highest_) {
    held_size_ = 0;
    out += kReplacement;
    return begin(byte, out);
  }
  lowest_ = kContinuationLow;
  highest_ = kContinuationHigh;
  held_[held_size_++] = static_cast<char>(byte);
  if (held_size_ < size_) return;
  out.append(held_.data(), held_size_);
  held_size_ = 0;
}

void Utf8Repair::begin(unsigned char byte, std::string& out) {
  if (byte < 0x80) {
    out += static_cast<char>(byte);
    return;
  }
  if (byte < 0xC2 || byte > 0xF4) {
    out += kReplacement;
    return;
  }
  size_ = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
  lowest_ = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : kContinuationLow;
  highest_ = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : kContinuationHigh;
  held_[0] = static_cast<char>(byte);
  held_size_ = 1;
}

TextStream::TextStream(const std::vector<std::string>& stop, bool include_stop)
    : include_stop_(include_stop) {
  for (const std::string& bytes : stop) {
    // Repaired as the text is: a stop string never begins inside a character.
    std::string pattern;
    Utf8Repair repair;
    repair.append(bytes, pattern);
    repair.finish(pattern);
    if (!pattern.empty()) matchers_.push_back(make_matcher(std::move(pattern)));
  }
}

TextStream::Step TextStream::append(std::string_view piece) {
  if (stopped_) return {{}, true};
  std::string repaired;
  repair_.append(piece, repaired);
  std::string text = release(repaired);
  return {std::move(text), stopped_};
}

std::string TextStream::finish() {
  if (stopped_) return {};
  std::string repaired;
  repair_.finish(repaired);
  std::string text = release(repaired);
  if (!stopped_) text += tail_;
  tail_.clear();
  for (Matcher& matcher : matchers_) matcher.matched = 0;
  return text;
}

// Takes repaired text and returns the part that cannot belong to a stop string; keeps the rest in
// the tail.
std::string TextStream::release(std::string_view text) {
  for (const char byte : text) {
    tail_ += byte;
    std::size_t complete = 0;
    for (Matcher& matcher : matchers_) {
      if (matcher.advance(byte)) complete = std::max(complete, matcher.pattern.size());
    }
    if (complete == 0) continue;
    stopped_ = true;
    if (!include_stop_) tail_.resize(tail_.size() - complete);
    return std::exchange(tail_, {});
  }
  std::size_t kept = 0;
  for (const Matcher& matcher : matchers_) kept = std::max<std::size_t>(kept, matcher.matched);
  std::string sure = tail_.substr(0, tail_.size() - kept);
  tail_.erase(0, tail_.size() - kept);
  return sure;
}

TextStream::Matcher TextStream::make_matcher(std::string pattern) {
  Matcher matcher{std::move(pattern), {0}, 0};
  const std::string& bytes = matcher.pattern;
  std::uint32_t border = 0;
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    while (border > 0 && bytes[border] != bytes[i]) border = matcher.border[border - 1];
    if (bytes[border] == bytes[i]) ++border;
    matcher.border.push_back(border);
  }
  return matcher;
}

// After a complete match the automaton is not used again.
bool TextStream::Matcher::advance(char byte) {
  while (matched > 0 && pattern[matched] != byte) matched = border[matched - 1];
  if (pattern[matched] == byte) ++matched;
  return matched == pattern.size();
}

}  // namespace infernode
