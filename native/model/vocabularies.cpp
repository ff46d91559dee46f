#include "model/vocabularies.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace infernode {

namespace {

constexpr std::size_t kRemembered = 4;

class VisibleVocab final : public Vocab {
 public:
  VisibleVocab(std::shared_ptr<const Vocab> plain, std::map<TokenId, std::string> texts)
      : plain_(std::move(plain)), texts_(std::move(texts)) {}

  std::int32_t size() const override { return plain_->size(); }
  bool is_end_of_generation(TokenId token) const override {
    return plain_->is_end_of_generation(token);
  }
  std::string_view piece(TokenId token) const override {
    const auto visible = texts_.find(token);
    return visible == texts_.end() ? plain_->piece(token) : std::string_view(visible->second);
  }

 private:
  std::shared_ptr<const Vocab> plain_;
  std::map<TokenId, std::string> texts_;
};

}  // namespace

Vocabularies::Entry& Vocabularies::find(const std::vector<std::string>& visible) {
  const auto found = std::ranges::find(entries_, visible, &Entry::visible);
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
  } else {
    auto vocab = vocab_with(visible);
    entries_.push_front({visible, vocab, GrammarCache(vocab)});
    if (entries_.size() > kRemembered) entries_.pop_back();
  }
  return entries_.front();
}

Vocabularies::Entry& Vocabularies::all_visible() {
  if (all_ == nullptr) {
    std::shared_ptr<const Vocab> plain(model_, &model_->vocab());
    std::map<TokenId, std::string> texts;
    for (TokenId token = 0; token < plain->size(); ++token) {
      if (plain->piece(token).empty()) texts.emplace(token, model_->vocab().token_bytes(token));
    }
    auto vocab = std::make_shared<const VisibleVocab>(std::move(plain), std::move(texts));
    all_ = std::make_unique<Entry>(Entry{{}, vocab, GrammarCache(vocab)});
  }
  return *all_;
}

std::shared_ptr<const Vocab> Vocabularies::vocab_with(
    const std::vector<std::string>& visible) const {
  std::shared_ptr<const Vocab> plain(model_, &model_->vocab());
  std::map<TokenId, std::string> texts;
  for (const std::string& text : visible) {
    const std::vector<TokenId> tokens = model_->vocab().tokenize(text, false, true);
    if (tokens.size() == 1 && plain->piece(tokens[0]).empty()) texts.emplace(tokens[0], text);
  }
  if (texts.empty()) return plain;
  return std::make_shared<const VisibleVocab>(std::move(plain), std::move(texts));
}

}  // namespace infernode
