#include "said_texts.h"

#include <exception>
#include <map>
#include <string_view>

namespace infernode::chat {

namespace {

using Kind = SaidText::Kind;

constexpr std::size_t kUnlikely = 16;  // length from which a text does not occur by chance
constexpr std::string_view kSpace = " \t\r\n\f\v";

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// Every text that is not blank, with its position in `turns`.
template <typename Visit>
void visit_texts(std::vector<Turn>& turns, const Visit& visit) {
  const auto visit_one = [&](std::size_t turn, Kind kind, std::string& place) {
    if (std::string text = trimmed(place); !text.empty()) visit({turn, kind, text}, place);
  };
  for (std::size_t turn = 0; turn < turns.size(); ++turn) {
    common_chat_msg& message = turns[turn].message;
    visit_one(turn, Kind::kText, message.content);
    for (auto& part : message.content_parts) visit_one(turn, Kind::kPart, part.text);
    for (auto& call : message.tool_calls) visit_one(turn, Kind::kCall, call.name);
  }
}

bool all_in_order(const std::vector<SaidText>& said, const std::string& prompt,
                  const std::string& fixed) {
  std::size_t at = 0;
  for (const SaidText& one : said) {
    const bool by_chance = one.text.size() < kUnlikely && fixed.find(one.text) != std::string::npos;
    at = by_chance ? std::string::npos : prompt.find(one.text, at);
    if (at == std::string::npos) return false;
    at += one.text.size();
  }
  return true;
}

std::size_t count(std::string_view text, std::string_view word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at + word.size()))
    ++found;
  return found;
}

std::string word_for(std::size_t index) { return "word" + std::to_string(index) + "x"; }

}  // namespace

std::vector<SaidText> left_out(const std::vector<Turn>& turns, const std::string& prompt,
                               const std::string& fixed, const RenderTurns& render) {
  std::vector<Turn> probes = turns;
  std::vector<SaidText> said;
  visit_texts(probes, [&](SaidText one, std::string& place) {
    place = word_for(said.size());
    said.push_back(std::move(one));
  });
  if (all_in_order(said, prompt, fixed)) return {};
  std::string probed;
  try {
    probed = render(probes);
  } catch (const std::exception&) {
    // The template inspects the texts: only the prompt itself can decide.
  }
  std::vector<SaidText> lost;
  std::map<std::string, std::size_t> found;  // texts, and how often the prompt says them
  for (std::size_t i = 0; i < said.size(); ++i) {
    const std::size_t times = count(probed, word_for(i));
    if (times == 0)
      lost.push_back(said[i]);
    else
      found[said[i].text] += times;
  }
  // Present nevertheless if it occurs more often than the template and the other texts produce it.
  std::erase_if(lost, [&](const SaidText& one) {
    std::size_t others = count(probed, one.text);
    for (const auto& [text, times] : found) others += times * count(text, one.text);
    return count(prompt, one.text) > others;
  });
  return lost;
}

}  // namespace infernode::chat
