// llama.cpp's own samplers on a row of logits, to compare ours with.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "core/sampling/sampler.h"
#include "llama.h"

namespace infernode {

// What a chain of llama.cpp's samplers leaves of a row: tokens ascending, with
// probabilities that sum to 1.
inline std::vector<Candidate> llama_distribution(const std::vector<float>& row,
                                                 std::initializer_list<llama_sampler*> samplers) {
  const std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)> chain(
      llama_sampler_chain_init(llama_sampler_chain_default_params()), llama_sampler_free);
  for (llama_sampler* sampler : samplers) llama_sampler_chain_add(chain.get(), sampler);
  std::vector<llama_token_data> data;
  for (std::size_t i = 0; i < row.size(); ++i)
    data.push_back({static_cast<llama_token>(i), row[i], 0});
  llama_token_data_array array{data.data(), data.size(), -1, false};
  llama_sampler_apply(chain.get(), &array);
  double total = 0;
  float highest = array.data[0].logit;
  for (std::size_t i = 0; i < array.size; ++i) highest = std::max(highest, array.data[i].logit);
  for (std::size_t i = 0; i < array.size; ++i)
    total += std::exp(double{array.data[i].logit} - highest);
  std::vector<Candidate> left;
  for (std::size_t i = 0; i < array.size; ++i) {
    const double weight = std::exp(double{array.data[i].logit} - highest) / total;
    if (weight > 0) left.push_back({array.data[i].id, static_cast<float>(weight)});
  }
  std::ranges::sort(left, {}, &Candidate::token);
  return left;
}

}  // namespace infernode
