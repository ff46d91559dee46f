// Control tokens that count as text: in the vocabulary, and under a grammar.
#include "model/vocabularies.h"
#include "check.h"
#include "core/grammar/constraint.h"
#include "model_fixture.h"

using namespace infernode;

namespace {

// A control token of the embedded model that ends nothing, and its text.
std::pair<TokenId, std::string> control_token(const LlamaModel& model) {
  for (TokenId token = 0; token < model.vocab().size(); ++token) {
    const std::string text = model.vocab().detokenize(std::span(&token, 1), true);
    if (model.vocab().piece(token).empty() && !text.empty() &&
        !model.vocab().is_end_of_generation(token))
      return {token, text};
  }
  throw std::runtime_error("the embedded model has a control token");
}

}  // namespace

TEST("a control token that is visible has its text, and no other token changes") {
  const auto model = load_embedded("q8_0");
  const auto [token, text] = control_token(*model);
  Vocabularies vocabularies(model);
  const auto vocab = vocabularies.find({text, "no token at all"}).vocab;
  CHECK_EQ(vocab->size(), model->vocab().size());
  for (TokenId other = -1; other <= vocab->size(); ++other) {
    CHECK_EQ(vocab->piece(other),
             other == token ? std::string_view(text) : model->vocab().piece(other));
    CHECK_EQ(vocab->is_end_of_generation(other), model->vocab().is_end_of_generation(other));
  }
}

TEST("a grammar that asks for its text gets it as one token, only where it is visible") {
  const auto model = load_embedded("q8_0");
  const auto control = control_token(*model);
  const std::string& text = control.second;
  Vocabularies vocabularies(model);
  const std::string grammar = "root ::= \"" + text + "\" \"yes\"";
  const auto may_come = [&](Vocabularies::Entry& words) {
    const Constraint constraint(words.grammars.find(grammar));
    std::vector<float> logits(static_cast<std::size_t>(model->vocab().size()), 1.0f);
    constraint.mask(logits);
    return logits[static_cast<std::size_t>(control.first)] > 0;
  };
  CHECK(may_come(vocabularies.find({text})));
  CHECK(!may_come(vocabularies.find({})));
}

TEST("the vocabularies used last are remembered") {
  const auto model = load_embedded("q8_0");
  const auto [token, text] = control_token(*model);
  Vocabularies vocabularies(model);
  const Vocab* first = vocabularies.find({text}).vocab.get();
  CHECK_EQ(vocabularies.find({text}).vocab.get(), first);
}
