// The filters that few requests ask for: top-n-sigma, locally typical, XTC,
// dynamic temperature and mirostat 2. Meaning and order are llama.cpp's; what
// they work on is the list of candidates that the common filters leave.
// A request that asks for none of them never comes here.
#pragma once

#include <span>
#include <vector>

#include "core/types.h"
#include "sampler_scratch.h"

namespace infernode {

// A value that belongs to its request, mirostat's state included. One thread at
// a time.
class CandidateFilters {
 public:
  explicit CandidateFilters(const SamplingParams& params);

  // Any of them is on.
  [[nodiscard]] bool active() const { return narrows() || draws_chance() || dynatemp_range_ > 0; }
  // Some must see the candidates before top_p and min_p, which are then applied
  // here too.
  [[nodiscard]] bool narrows() const { return mirostat_ || typical_p_ < 1 || top_n_sigma_ > 0; }
  // XTC is on: it happens by chance.
  [[nodiscard]] bool draws_chance() const { return xtc_probability_ > 0 && !mirostat_; }

  // The lowest logit that top-n-sigma keeps of a row; -infinity when it is off.
  float lowest_logit(std::span<const float> row, float maximum) const;

  // Typical, top_p and min_p, or mirostat's cut. At least one is left.
  void narrow(std::vector<ScoredCandidate>& candidates) const;
  // XTC if `chance`, uniform in [0, 1), says so; then weights at the request's
  // temperature, summing to 1.
  void weigh(std::vector<ScoredCandidate>& candidates, double chance) const;
  // Tells mirostat how likely the drawn one was.
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
