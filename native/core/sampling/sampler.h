// One request's choice of its next token: logits in, token out, in one or two
// passes over the vocabulary and never a full sort.
// The order and meaning of the steps are llama.cpp's (logit bias, penalties,
// DRY, top_k, top_p, min_p, temperature, draw; CandidateFilters adds the rarer
// ones); the random numbers are our own.
// A Sampler owns its request's random state and penalty window; the work
// space belongs to the thread and is passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "candidate_filters.h"
#include "core/types.h"
#include "dry_penalty.h"
#include "penalty_window.h"
#include "random.h"
#include "sampler_kernels.h"
#include "sampler_scratch.h"

namespace infernode {

struct Candidate {
  TokenId token;
  float probability;
};

// A value that belongs to its request: copying it copies the random state, so
// a preempted request continues as if undisturbed. One thread at a time; the
// result depends on neither the thread nor the scratch.
class Sampler {
 public:
  // The parameters have been validated; a value out of range acts as the nearest in range (top_p <
  // 0 as 0: one candidate). Biases of tokens outside the vocabulary are ignored.
  Sampler(const SamplingParams& params, std::int32_t vocabulary_size,
          const SamplerKernels& kernels = best_sampler_kernels());

  // Chooses from one row of vocabulary_size logits and overwrites some of
  // them. With temperature > 0 it takes exactly one random number, with XTC two. Does not accept()
  // the token. Returns kNoToken, and takes no random number, when the row offers no choice: after
  // bias and penalties it holds a NaN or +infinity, or nothing but -infinity. The engine then fails
  // the request. Ties: the lowest token wins, both for the most likely token and at the edge of
  // top_k and top_p. The kernels differ in the last bits of exp() only; a draw differs between
  // machines only where its random number falls between those bits.
  TokenId sample(std::span<float> logits, SamplerScratch& scratch);

  // For tests: the candidates sample() would draw from, by ascending token, their
  // probabilities summing to 1; empty where sample() returns kNoToken. Takes
  // no random number, and XTC happens; overwrites some logits as sample() does.
  void distribution(std::span<float> logits, SamplerScratch& scratch,
                    std::vector<Candidate>& out) const;

  // Feeds one token, sampled or forced, to the penalties.
  void accept(TokenId token) {
    penalties_.accept(token);
    dry_.accept(token);
  }

  // Restarts the penalties from the tokens known so far, the prompt's
  // included. The random state is left as it is.
  void prime(std::span<const TokenId> known) {
    penalties_.prime(known);
    dry_.prime(known);
  }

  // Replaces the random state; penalties and filters keep theirs.
  void reseed(std::uint64_t seed) { random_ = Random(seed); }

 private:
  // What the filters left. For kRow it is the whole row; for kCandidates the
  // first `count` entries of the scratch; for kOne a single token.
  enum class Choice { kNone, kOne, kRow, kCandidates };
  struct Selection {
    Choice choice = Choice::kNone;
    TokenId token = kNoToken;
    float maximum = 0;  // of the row
    std::size_t count = 0;
  };

  float prepare(std::span<float> logits, SamplerScratch& scratch) const;
  [[nodiscard]] bool gather(std::span<float> logits, SamplerScratch& scratch) const;
  TokenId sample_filtered(std::span<float> logits, SamplerScratch& scratch);
  void apply_bias(std::span<float> logits) const;
  Selection select(std::span<float> logits, SamplerScratch& scratch) const;
  std::size_t collect(std::span<const float> row, float threshold, SamplerScratch& scratch) const;
  std::size_t collect_top_k(std::span<const float> row, float maximum,
                            SamplerScratch& scratch) const;
  std::size_t collect_top_p(std::span<const float> row, float maximum,
                            SamplerScratch& scratch) const;
  void weigh(std::size_t count, float maximum, SamplerScratch& scratch) const;

  const SamplerKernels* kernels_;
  std::size_t vocabulary_size_;
  bool most_likely_;   // temperature <= 0
  float scale_;        // 1 / temperature, finite
  std::size_t top_k_;  // 0: off
  float top_p_;        // >= 1: off
  bool has_min_p_;
  float min_p_logit_;  // ln(min_p): candidates are this near the maximum
  std::vector<LogitBias> logit_bias_;
  PenaltyWindow penalties_;
  DryPenalty dry_;
  CandidateFilters filters_;
  Random random_;
};

}  // namespace infernode
