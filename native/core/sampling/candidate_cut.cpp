// The range being searched, and what is known of it:
//   lowest ........ [ low, ........ the cut ........ high ) ........ highest
//   dropped           mass from here: >= target             kept: `above`
#include "candidate_cut.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace infernode {
namespace {

constexpr std::size_t kSortable = 64;  // fewer: a sort beats another pass
constexpr int kMoreSteps = 4;          // when the first guess left too many

class CutSearch {
 public:
  CutSearch(const SamplerKernels& kernels, SamplerScratch& scratch, std::size_t count, float lowest,
            float highest, double target)
      : kernels_(kernels),
        scratch_(scratch),
        count_(count),
        target_(target),
        low_(lowest),
        high_(std::nextafter(highest, std::numeric_limits<float>::infinity())) {}

  // The lowest logit to keep. Of the candidates equal to it, those that are
  // too many are set to -infinity.
  float run() {
    for (std::size_t left = count_; left > kSortable / 2; left /= 2) bisect();
    std::size_t members = collect_members();
    while (members > kSortable && !ends_touch()) {
      for (int step = 0; step < kMoreSteps; ++step) bisect();
      members = collect_members();
    }
    return walk(members);
  }

 private:
  bool ends_touch() const {
    const float middle = low_ / 2 + high_ / 2;
    return !(middle > low_ && middle < high_);
  }

  void bisect() {
    if (ends_touch()) return;
    const float middle = low_ / 2 + high_ / 2;
    const double mass =
        kernels_.mass_from(scratch_.logits.data(), scratch_.weights.data(), count_, middle);
    if (mass >= target_) {
      low_ = middle;
    } else {
      high_ = middle;
      above_ = mass;
    }
  }

  std::size_t collect_members() {
    return kernels_.collect(scratch_.logits.data(), count_, nullptr, low_, high_,
                            scratch_.members.data(), scratch_.member_logits.data());
  }

  // Takes members, largest first, until the target is reached.
  float walk(std::size_t count) {
    if (count == 0) return low_;
    const std::span<TokenId> members(scratch_.members.data(), count);
    const std::vector<float>& logits = scratch_.logits;
    // Thousands of equal ones are in order already.
    if (!std::ranges::all_of(std::span(scratch_.member_logits.data(), count),
                             [&](float logit) { return logit == scratch_.member_logits[0]; })) {
      std::ranges::sort(members, [&](TokenId a, TokenId b) {
        return logits[at(a)] != logits[at(b)] ? logits[at(a)] > logits[at(b)] : a < b;
      });
    }
    double mass = above_;
    std::size_t taken = 0;
    while (taken < count) {
      mass += static_cast<double>(scratch_.weights[at(members[taken++])]);
      if (mass >= target_) break;
    }
    const float cut = logits[at(members[taken - 1])];
    for (; taken < count && logits[at(members[taken])] == cut; ++taken) {
      scratch_.logits[at(members[taken])] = -std::numeric_limits<float>::infinity();
    }
    return cut;
  }

  static std::size_t at(TokenId index) { return static_cast<std::size_t>(index); }

  const SamplerKernels& kernels_;
  SamplerScratch& scratch_;
  std::size_t count_;
  double target_;
  float low_;
  float high_;
  double above_ = 0;
};

}  // namespace

std::size_t keep_mass(const SamplerKernels& kernels, SamplerScratch& scratch, std::size_t count,
                      float lowest, float highest, double target) {
  const float cut = CutSearch(kernels, scratch, count, lowest, highest, target).run();
  return kernels.keep_from(scratch.logits.data(), scratch.tokens.data(), count, cut);
}

}  // namespace infernode
