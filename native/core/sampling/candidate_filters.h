// The rarely used filters: top-n-sigma, locally typical, XTC, dynamic temperature and mirostat 2,
// with llama.cpp's meaning and order. They work on the candidates left by the common filters,
// and are not called for a request that uses none of them.
// A value that belongs to its request, mirostat's state included. One thread at a time.
#pragma once

#include <span>
#include <vector>

#include "core/types.h"
#include "sampler_scratch.h"

namespace infernode {

class CandidateFilters {
 public:
  explicit CandidateFilters(const SamplingParams& params);

  // Whether any of these filters is on.
  [[nodiscard]] bool active() const { return narrows() || draws_chance() || dynatemp_range_ > 0; }
  // Whether a filter needs the candidates from before top_p and min_p, which are then applied here.
  [[nodiscard]] bool narrows() const { return mirostat_ || typical_p_ < 1 || top_n_sigma_ > 0; }
  // Whether XTC is on; it applies with a probability.
  [[nodiscard]] bool draws_chance() const { return xtc_probability_ > 0 && !mirostat_; }

  // The lowest logit that top-n-sigma keeps of a row; -infinity when it is off.
  float lowest_logit(std::span<const float> row, float maximum) const;

  // Typical, top_p and min_p, or mirostat's cut. At least one is left.
  void narrow(std::vector<ScoredCandidate>& candidates) const;
  // Applies XTC if `chance`, uniform in [0, 1), is below its probability; then sets the weights at
  // the request's temperature, which sum to 1.
  void weigh(std::vector<ScoredCandidate>& candidates, double chance) const;
  // Adapts mirostat by the probability of the drawn token.
  void drawn(double probability);

 private:
  void keep_typical(std::vector<ScoredCandidate>& candidates) const;
  void keep_top_p(std::vector<ScoredCandidate>& candidates) const;
  void keep_min_p(std::vector<ScoredCandidate>& candidates) const;
  void keep_unsurprising(std::vector<ScoredCandidate>& candidates) const;
  void exclude_top_choices(std::vector<ScoredCandidate>& candidates) const;
  double temperature_for(std::vector<ScoredCandidate>& candidates) const;

  float temperature_;
  float top_p_;
  float min_p_;
  float typical_p_;
  float top_n_sigma_;
  float xtc_probability_;
  float xtc_threshold_;
  float dynatemp_range_;
  float dynatemp_exponent_;
  bool mirostat_;
  float mirostat_tau_;
  float mirostat_eta_;
  double mirostat_mu_;  // surprise allowed, in bits
};

}  // namespace infernode
