#include "model/tokenizing.h"

#include <string_view>
#include <utility>

namespace infernode {

namespace {

constexpr std::size_t kSlice = 32 * 1024;  // bytes: some 10 ms

}  // namespace

Tokenizing::Tokenizing(const LlamaModel& model, const TextSlices& slices, PromptText prompt)
    : model_(model), slices_(slices), parse_special_(prompt.parse_special) {
  if (prompt.text.size() <= kSlice || !slices.divisible()) {
    tokens_ = model.vocab().tokenize(prompt.text, prompt.add_special, prompt.parse_special);
    return;
  }
  std::vector<TokenId> around;
  if (prompt.add_special) around = model.vocab().tokenize("", true, false);
  const std::size_t before = model.info().add_bos && !around.empty() ? 1 : 0;
  tokens_.assign(around.begin(), around.begin() + static_cast<std::ptrdiff_t>(before));
  add(std::move(prompt.text));
  for (std::size_t i = before; i < around.size(); ++i) add(around[i]);
}

Tokenizing::Tokenizing(const LlamaModel& model, const TextSlices& slices, const PromptForm& form)
    : model_(model), slices_(slices) {
  for (PromptSegment& segment : segments_of(model, form)) add(std::move(segment));
}

void Tokenizing::add(PromptSegment segment) {
  if (const auto* text = std::get_if<std::string>(&segment)) bytes_left_ += text->size();
  left_.push_back(std::move(segment));
}

bool Tokenizing::step() {
  for (std::size_t bytes = 0; !left_.empty() && bytes < kSlice;) {
    if (const auto* token = std::get_if<TokenId>(&left_.front())) {
      tokens_.push_back(*token);
      left_.pop_front();
      continue;
    }
    const std::string_view rest =
        std::string_view(std::get<std::string>(left_.front())).substr(at_);
    const TextSlices::Slice slice = slices_.first(rest, kSlice - bytes);
    const std::vector<TokenId> more =
        model_.vocab().tokenize(rest.substr(0, slice.length), false, parse_special_);
    tokens_.insert(tokens_.end(), more.begin(), more.end());
    bytes += slice.length;
    bytes_left_ -= slice.next;
    at_ += slice.next;
    if (slice.next < rest.size()) continue;
    left_.pop_front();
    at_ = 0;
  }
  return !left_.empty();
}

std::size_t Tokenizing::least_tokens() const {
  return tokens_.size() + slices_.fewest_tokens(bytes_left_, parse_special_);
}

}  // namespace infernode
