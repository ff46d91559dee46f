// Decides whether speculative decoding pays, and how many tokens to draft: a request's draft tokens
// are computed in one pass, and accepted up to the first that differs from the sampled one. Drafts
// come from prompt lookup, which is free, or from a draft model. The decision uses measurements:
// the cost of a pass, of a row and of the draft model, and each source's acceptance rate per
// request. Lookups are compared with the sampled tokens even when they are not computed; a draft
// model is tried now and then, for 1 % of the time. Engine thread only.
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

constexpr std::size_t kMostSpeculating =
    4;                                    // requests in a pass; more fill the device without drafts
constexpr std::size_t kMostDrafted = 15;  // tokens per request

// The draft of one source for one request, and that source's acceptance rates.
struct Draft {
  std::vector<TokenId> tokens;  // of this step
  std::size_t matched = 0;      // length of the match in the text; 0: not from prompt lookup
  std::size_t accepted = 0;     // how many of `tokens` were chosen so far
  // Running means of acceptance, by the length of the match before the token: longer matches are
  // surer. [0]: of the draft model.
  std::array<double, kMostMatched + 1> rates = {0.5, 0.1, 0.15, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2};

  void renew(std::vector<TokenId> next, std::size_t matched_before = 0) {
    tokens = std::move(next);
    matched = matched_before;
    accepted = 0;
  }
  // Index into `rates`.
  std::size_t kind(std::size_t index) const {
    return matched == 0 ? 0 : std::min(matched + index, kMostMatched);
  }
  void learn(bool hit, std::size_t index = 0);
  // Compares the request's token at `index` of the step. Nothing where an earlier token differed.
  [[nodiscard]] std::optional<bool> verify(std::size_t index, TokenId token);
  // Expected tokens of a pass with `most` of these tokens.
  double expected(std::size_t most) const;
};

// The drafts of one request.
struct DraftState {
  NgramDrafter drafter;
  Draft by_lookup;
  Draft by_model;                // by the draft model
  std::vector<TokenId> drafted;  // this step's draft, from either source
  std::size_t verified = 0;      // known tokens when the draft model was last compared
  bool model_failed = false;     // the draft model is not used for it any more

  // Drops the drafts of this step.
  void discard_drafts() {
    by_lookup.renew({});
    by_model.renew({});
    drafted.clear();
  }
  // Whether the draft model is the better source for so many tokens.
  [[nodiscard]] bool model_is_better(std::size_t length) const {
    return !model_failed && by_model.expected(length) >
                                by_lookup.expected(std::min(length, by_lookup.tokens.size()));
  }
};

// The cost of the draft model in this step.
struct DraftCost {
  double pass_ms = 0;     // for each token drafted
  double reading_ms = 0;  // for each expected token: reading what it has not computed, spread
};

struct DraftPlan {
  std::size_t length = 0;  // tokens per request; 0: an ordinary pass
  bool model = false;      // use the draft model where it is the better source
};

class Speculation {
 public:
  static constexpr double kAssumedPrice = 0.1;  // of a row, until measured

  // `always`: tokens to draft with the model whatever it costs; 0: as many as pay.
  explicit Speculation(std::size_t always = 0) : always_(always) {}

  // What to draft for these requests: one length for all, since a pass has equally many rows per
  // sequence. Without `model` there is no draft model to use.
  DraftPlan plan(std::span<const DraftState* const> requests,
                 const std::optional<DraftCost>& model) const;

  // The milliseconds of a pass with one row for each of so many requests.
  void measured_plain(std::size_t requests, double ms);
  // The same with `rows` for each.
  void measured_drafted(std::size_t requests, std::size_t rows, double ms);
  // 0: not known.
  double plain_ms(std::size_t requests) const { return plain_ms_.at(requests); }

  // A token of the draft model was compared, of any request.
  void verified_model(bool hit) { model_rate_ += 0.05 * ((hit ? 1.0 : 0.0) - model_rate_); }
  // The acceptance rate to expect for a new request.
  double model_rate() const { return model_rate_; }
  // Whether there is time to try the draft model on existing text.
  [[nodiscard]] bool may_probe(double ms) const { return ms <= credit_ms_; }
  void probed(double ms) { credit_ms_ -= ms; }

 private:
  double gain(std::span<const DraftState* const> requests, std::size_t length,
              const std::optional<DraftCost>& model) const;

  const std::size_t always_;
  std::array<double, kMostSpeculating + 1> plain_ms_{};  // by requests; 0: not known
  double row_price_ = kAssumedPrice;  // of each row beyond the first, in ordinary passes
  double model_rate_ = 0.5;
  double credit_ms_ = 0;  // for trying the draft model
  bool credited_ = false;
};

}  // namespace infernode
