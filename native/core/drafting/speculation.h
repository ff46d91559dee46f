// Whether guessing ahead pays, and how far: several tokens of a request
// computed in one pass, of which those are kept that the request would have
// drawn anyway. Guesses come from what the text has said before, which costs
// nothing, or from a draft model, whose passes cost. Decides by what was
// measured: the price of a pass, of a row and of the draft model, and how often
// each source came true for each request. Lookups are judged also when none
// are computed, so that nothing is spent on finding out; a draft model is asked
// now and then how it would have guessed, for a hundredth of the time.
// Engine thread only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "ngram_drafter.h"

namespace infernode {

constexpr std::size_t kMostSpeculating = 4;  // requests in a pass; wider ones fill the device
constexpr std::size_t kMostDrafted = 15;     // tokens per request

// What one source guesses for one request, and how often that came true.
struct Guesses {
  std::vector<TokenId> tokens;  // of this step
  std::size_t matched = 0;      // tokens before them that were found in the text; 0: none looked up
  std::size_t came_true = 0;    // of `tokens`, in order
  // Running means of those judged, by the tokens before the guess that were as they were
  // when it was true: the more, the surer. [0]: of guesses that are not looked up.
  std::array<double, kMostMatched + 1> rates = {0.5, 0.1, 0.15, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2};

  void renew(std::vector<TokenId> next, std::size_t matched_before = 0) {
    tokens = std::move(next);
    matched = matched_before;
    came_true = 0;
  }
  // Where its rate stands.
  std::size_t kind(std::size_t index) const {
    return matched == 0 ? 0 : std::min(matched + index, kMostMatched);
  }
  void learn(bool hit, std::size_t index = 0);
  // The request's token at `index` of the step. Nothing where a token before it was
  // another than guessed.
  [[nodiscard]] std::optional<bool> judge(std::size_t index, TokenId token);
  // Tokens a request gains by `most` such guesses.
  double expected(std::size_t most) const;
};

// One request's side of it.
struct Guesser {
  NgramDrafter drafter;
  Guesses looked_up;
  Guesses modelled;              // by the draft model
  std::vector<TokenId> drafted;  // of this step, whosoever guess it is
  std::size_t judged = 0;        // tokens known when the draft model was last asked
  bool model_failed = false;     // it is asked no more

  // Nothing is guessed until the next step that may draft.
  void rest() {
    looked_up.renew({});
    modelled.renew({});
    drafted.clear();
  }
  // Which of both to take for so many tokens.
  [[nodiscard]] bool by_model(std::size_t length) const {
    return !model_failed && modelled.expected(length) >
                                looked_up.expected(std::min(length, looked_up.tokens.size()));
  }
};

// What the draft model takes in this step.
struct DraftCost {
  double pass_ms = 0;     // for each token drafted
  double reading_ms = 0;  // for each token gained: what it must read first, spread
};

struct DraftPlan {
  std::size_t length = 0;  // tokens per request; 0: better one token at a time
  bool model = false;      // for those for whom it guesses better than the text itself
};

class Speculation {
 public:
  static constexpr double kGuessedPrice = 0.1;  // of a row, until measured

  // `always`: tokens to draft by the model whatever it costs; 0: as many as pay.
  explicit Speculation(std::size_t always = 0) : always_(always) {}

  // What to draft for each of these requests: one length for all, since a pass has
  // equal rows for everybody. Without `model` there is none to ask.
  DraftPlan plan(std::span<const Guesser* const> requests,
                 const std::optional<DraftCost>& model) const;

  // A pass of one row for each of so many requests took this long.
  void measured_plain(std::size_t requests, double ms);
  // A pass of so many rows for each.
  void measured_drafted(std::size_t requests, std::size_t rows, double ms);
  // 0: not known.
  double plain_ms(std::size_t requests) const { return plain_ms_.at(requests); }

  // A guess of the draft model was judged, for whomever.
  void judged_model(bool hit) { model_rate_ += 0.05 * ((hit ? 1.0 : 0.0) - model_rate_); }
  // What to expect of it for a request it has not been judged for.
  double model_rate() const { return model_rate_; }
  // Whether there is time to ask the draft model how it would have guessed.
  [[nodiscard]] bool may_ask(double ms) const { return ms <= credit_ms_; }
  void asked(double ms) { credit_ms_ -= ms; }

 private:
  double gain(std::span<const Guesser* const> requests, std::size_t length,
              const std::optional<DraftCost>& model) const;

  const std::size_t always_;
  std::array<double, kMostSpeculating + 1> plain_ms_{};  // by requests; 0: not known
  double row_price_ = kGuessedPrice;  // of each row beyond the first, in ordinary passes
  double model_rate_ = 0.5;
  double credit_ms_ = 0;  // for asking
  bool credited_ = false;
};

}  // namespace infernode
