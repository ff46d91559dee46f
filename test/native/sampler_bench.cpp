// Our sampler beside llama.cpp's own chain (top_p, temperature, dist) on the
// same rows in the same run, on one thread. Prints microseconds per row, the
// best of several rounds, and their ratio. Not a test: it asserts nothing but
// that both chose a token.
//   normal  logits spread evenly, standard deviation 3
//   peaked  as a sure model's: a few dozen logits far above the rest
//   flat    standard deviation 1: top_p keeps most of the vocabulary
// Built by hand with -O3, libinfernode_core.a and the built libllama.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include "core/sampling/sampler.h"
#include "llama.h"

using namespace infernode;

namespace {

constexpr std::size_t kRows = 32;
constexpr int kRounds = 12;

struct Rows {
  std::vector<std::vector<float>> originals;
  std::vector<std::vector<float>> work;

  void restore() { work = originals; }
};

Rows make_rows(const std::string& shape, std::size_t vocabulary) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Rows rows;
  for (std::size_t i = 0; i < kRows; ++i) {
    std::vector<float> row(vocabulary);
    const float spread = shape == "flat" ? 1.0f : shape == "normal" ? 3.0f : 2.0f;
    for (float& logit : row) logit = spread * normal(random);
    for (int top = 0; shape == "peaked" && top < 40; ++top) {
      row[random() % vocabulary] = 20.0f - 0.3f * static_cast<float>(top) + normal(random);
    }
    rows.originals.push_back(std::move(row));
  }
  rows.restore();
  return rows;
}

template <typename SampleRow>
double best_microseconds(Rows& rows, SampleRow sample_row) {
  double best = 1e30;
  for (int round = 0; round < kRounds; ++round) {
    rows.restore();
    const auto begin = std::chrono::steady_clock::now();
    for (std::vector<float>& row : rows.work) {
      if (sample_row(row) < 0) std::puts("no token");
    }
    const std::chrono::duration<double, std::micro> taken =
        std::chrono::steady_clock::now() - begin;
    best = std::min(best, taken.count() / kRows);
  }
  return best;
}

struct SamplerFree {
  void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
};

double llama_microseconds(Rows& rows, const SamplingParams& params) {
  const std::unique_ptr<llama_sampler, SamplerFree> chain(
      llama_sampler_chain_init(llama_sampler_chain_default_params()));
  if (params.top_k > 0) {
    llama_sampler_chain_add(chain.get(), llama_sampler_init_top_k(params.top_k));
  }
  llama_sampler_chain_add(chain.get(), llama_sampler_init_top_p(params.top_p, 0));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_temp(params.temperature));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_dist(1));
  std::vector<llama_token_data> candidates;
  return best_microseconds(rows, [&](const std::vector<float>& row) {
    candidates.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      candidates[i] = {static_cast<llama_token>(i), row[i], 0.0f};
    }
    llama_token_data_array array{candidates.data(), candidates.size(), -1, false};
    llama_sampler_apply(chain.get(), &array);
    return array.data[array.selected].id;
  });
}

double our_microseconds(Rows& rows, const SamplingParams& params, const SamplerKernels& kernels) {
  Sampler sampler(params, static_cast<std::int32_t>(rows.work[0].size()), kernels);
  SamplerScratch scratch;
  return best_microseconds(rows,
                           [&](std::vector<float>& row) { return sampler.sample(row, scratch); });
}

void compare(const char* shape, std::size_t vocabulary, const SamplingParams& params) {
  Rows rows = make_rows(shape, vocabulary);
  const double llama = llama_microseconds(rows, params);
  std::printf("%-6s %6zu  top_k %2d top_p %.2f  llama.cpp %8.0f us", shape, vocabulary,
              params.top_k, static_cast<double>(params.top_p), llama);
  for (const SamplerKernels* kernels :
       {avx512_sampler_kernels(), avx2_sampler_kernels(), &generic_sampler_kernels()}) {
    if (kernels == nullptr) continue;
    const double ours = our_microseconds(rows, params, *kernels);
    std::printf("   %s %5.0f us (%.1fx)", kernels->name, ours, llama / ours);
  }
  std::printf("\n");
}

}  // namespace

int main() {
  SamplingParams params;
  params.temperature = 1.0f;
  for (const std::size_t vocabulary : {std::size_t{32'000}, std::size_t{128'256}}) {
    for (const char* shape : {"normal", "peaked", "flat"}) {
      params.top_p = 0.95f;
      params.top_k = 0;
      compare(shape, vocabulary, params);
    }
    params.top_k = 40;
    compare("normal", vocabulary, params);
    params.top_k = 0;
    params.top_p = 1.0f;
    compare("normal", vocabulary, params);
  }
  return 0;
}
