// Random texts of a grammar, token by token, on which our grammars and
// llama.cpp's own sampler judge every token of a vocabulary.
#pragma once

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "core/grammar/constraint.h"
#include "core/grammar/grammar_cache.h"
#include "llama.h"

namespace infernode {

struct Walked {
  int steps = 0;
  int different = 0;
  int ends = 0;
};

// The tokens llama.cpp leaves of all.
inline std::vector<bool> left_by(llama_sampler* sampler, std::size_t size) {
  std::vector<llama_token_data> data;
  for (std::size_t i = 0; i < size; ++i) data.push_back({static_cast<llama_token>(i), 1.0f, 0});
  llama_token_data_array array{data.data(), data.size(), -1, false};
  llama_sampler_apply(sampler, &array);
  std::vector<bool> left(size, false);
  for (std::size_t i = 0; i < array.size; ++i)
    left[static_cast<std::size_t>(array.data[i].id)] = !std::isinf(array.data[i].logit);
  return left;
}

// How text goes on with these bytes.
enum class Bytes { kWhole, kHalf, kBroken };

inline Bytes read_by(Utf8Reader& reader, std::string_view bytes) {
  for (const char byte : bytes) {
    if (reader.missing() == 0) reader = {};
    if (!reader.take(static_cast<std::uint8_t>(byte))) return Bytes::kBroken;
  }
  return reader.missing() == 0 ? Bytes::kWhole : Bytes::kHalf;
}

// llama.cpp lets bytes follow that are no UTF-8, reads control tokens by their
// names, takes no token that begins with NUL, and no half of a character that
// might become one a negated class excludes. Ours is exact.
inline bool judged_alike(Utf8Reader reader, std::string_view piece, bool mine, bool theirs) {
  if (mine == theirs) return true;
  if (piece.empty() || piece.starts_with('\0')) return true;
  const Bytes bytes = read_by(reader, piece);
  return (bytes == Bytes::kBroken && !mine) || (bytes == Bytes::kHalf && mine);
}

// One text, token by token at random among those allowed; both judge every token
// at every step.
inline void walk_beside_llama(const std::shared_ptr<const Vocab>& shared, const llama_vocab* raw,
                              const std::string& grammar, std::uint64_t seed, Walked& walked) {
  GrammarCache cache(shared);
  Constraint ours(cache.find(grammar));
  const Vocab& vocab = *shared;
  const auto size = static_cast<std::size_t>(vocab.size());
  const std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)> theirs(
      llama_sampler_init_grammar(raw, grammar.c_str(), "root"), llama_sampler_free);
  CHECK(theirs != nullptr);
  std::mt19937_64 random(seed);
  Utf8Reader reader;
  for (int step = 0; step < 60 && theirs != nullptr; ++step) {
    ++walked.steps;
    const std::vector<bool> expected = left_by(theirs.get(), size);
    std::vector<float> logits(size, 1.0f);
    ours.mask(logits);
    std::vector<TokenId> open;
    for (std::size_t i = 0; i < size; ++i) {
      const auto token = static_cast<TokenId>(i);
      const bool end = vocab.is_end_of_generation(token);
      const bool mine = end ? ours.may_end() : !std::isinf(logits[i]);
      const bool alike =
          end ? mine == expected[i] : judged_alike(reader, vocab.piece(token), mine, expected[i]);
      walked.different += alike ? 0 : 1;
      if (!end && mine != ours.allows(vocab.piece(token))) ++walked.different;
      if (mine && !end) open.push_back(token);
    }
    if (open.empty()) {
      ++walked.ends;
      CHECK(ours.complete() || ours.may_end());
      return;
    }
    const TokenId token = open[random() % open.size()];
    ours.accept(vocab.piece(token));
    read_by(reader, vocab.piece(token));
    llama_sampler_accept(theirs.get(), token);
  }
}

}  // namespace infernode
