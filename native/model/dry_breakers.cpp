#include "model/dry_breakers.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace infernode {

namespace {

constexpr std::size_t kRememberedLists = 8;
constexpr std::size_t kLongestTail = 20;  // tokens; llama.cpp's limit

void add_breaker(const LlamaModel& model, TokenId token, std::string_view word,
                 std::string_view text, DryBreakers& breakers) {
  if (word.find(text) != std::string_view::npos) return breakers.add(token, {});
  for (std::size_t at = word.find(text[0]); at != std::string_view::npos;
       at = word.find(text[0], at + 1)) {
    const std::string_view rest = word.substr(at);
    if (!text.starts_with(rest)) continue;
    std::vector<TokenId> tail = model.vocab().tokenize(text.substr(rest.size()), false, false);
    if (tail.size() > kLongestTail) tail.resize(kLongestTail);
    breakers.add(token, std::move(tail));
  }
}

std::shared_ptr<const DryBreakers> make_breakers(const LlamaModel& model,
                                                 const std::vector<std::string>& texts) {
  auto breakers = std::make_shared<DryBreakers>();
  for (TokenId token = 0; token < model.vocab().size(); ++token) {
    const std::string word = model.vocab().detokenize(std::span(&token, 1), true);
    for (const std::string& text : texts) add_breaker(model, token, word, text, *breakers);
  }
  return breakers;
}

}  // namespace

std::shared_ptr<const DryBreakers> DryBreakerLists::find(const LlamaModel& model,
                                                         const std::vector<std::string>& texts) {
  const auto found = std::ranges::find(entries_, texts, &Entry::first);
  if (found != entries_.end()) return found->second;
  entries_.emplace_front(texts, make_breakers(model, texts));
  if (entries_.size() > kRememberedLists) entries_.pop_back();
  return entries_.front().second;
}

}  // namespace infernode
