// Embeddings beside llama.cpp's own: a context made for embeddings that pools by
// the last token.
#include <cmath>
#include <memory>

#include "backend_passes.h"
#include "check.h"
#include "llama.h"
#include "model_fixture.h"

using namespace infernode;

namespace {

std::vector<float> theirs(const LlamaModel& model, std::vector<TokenId> tokens) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 256;
  params.n_batch = params.n_ubatch = 256;
  params.embeddings = true;
  params.pooling_type = LLAMA_POOLING_TYPE_LAST;
  params.n_threads = params.n_threads_batch = 1;
  const std::unique_ptr<llama_context, decltype(&llama_free)> context(
      llama_init_from_model(model.handle(), params), llama_free);
  const auto count = static_cast<std::int32_t>(tokens.size());
  CHECK_EQ(llama_decode(context.get(), llama_batch_get_one(tokens.data(), count)), 0);
  const float* values = llama_get_embeddings_seq(context.get(), 0);
  CHECK(values != nullptr);
  return {values, values + model.info().embedding_length};
}

std::vector<BatchRow> rows_of(const std::vector<TokenId>& tokens, SequenceId sequence) {
  std::vector<BatchRow> rows;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    rows.push_back({tokens[i], sequence, static_cast<Position>(i)});
  return rows;
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double product = 0, left = 0, right = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += double{a[i]} * double{b[i]};
    left += double{a[i]} * double{a[i]};
    right += double{b[i]} * double{b[i]};
  }
  return product / std::sqrt(left * right);
}

}  // namespace

TEST("the last row's embedding is llama.cpp's, and later passes work without embeddings") {
  const auto model = load_embedded("q8_0");
  const std::vector<std::vector<TokenId>> texts = {
      model->vocab().tokenize("The cat sat on the mat.", true, false),
      model->vocab().tokenize("Once upon a time there was a dog", true, false)};
  LlamaBackend backend(model, context_of(2));
  std::vector<BatchRow> last;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::vector<BatchRow> rows = rows_of(texts[i], static_cast<SequenceId>(i));
    last.push_back(rows.back());
    rows.pop_back();
    CHECK(run_prefill(backend, rows) == DecodeStatus::kOk);
  }
  CHECK(run_decode(backend, last, true) == DecodeStatus::kOk);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<float> expected = theirs(*model, texts[i]);
    const auto found = backend.embedding(i);
    CHECK_EQ(found.size(), expected.size());
    CHECK(cosine(found, expected) > 0.9999);
    CHECK(cosine(found, theirs(*model, texts[1 - i])) < 0.99);
  }
  for (BatchRow& row : last) ++row.position;
  CHECK(run_decode(backend, last, false) == DecodeStatus::kOk);
  CHECK(std::isfinite(backend.logits(1)[0]));
  CHECK(run_prefill(backend, rows_of({1, 2, 3}, 0)) == DecodeStatus::kInvalid);
}
