// Rank heads beside llama.cpp's own: a context made for ranking, whose graph ends
// with the head.
#include <cmath>
#include <memory>

#include "check.h"
#include "llama.h"
#include "model/prompt_form.h"
#include "model/tokenizing.h"
#include "synthetic_fixture.h"

using namespace infernode;

namespace {

std::vector<float> theirs(const LlamaModel& model, std::vector<TokenId> tokens) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 512;
  params.n_batch = params.n_ubatch = 512;
  params.embeddings = true;
  params.pooling_type = LLAMA_POOLING_TYPE_RANK;
  params.n_threads = params.n_threads_batch = 1;
  const std::unique_ptr<llama_context, decltype(&llama_free)> context(
      llama_init_from_model(model.handle(), params), llama_free);
  const auto count = static_cast<std::int32_t>(tokens.size());
  CHECK_EQ(llama_decode(context.get(), llama_batch_get_one(tokens.data(), count)), 0);
  const float* values = llama_get_embeddings_seq(context.get(), 0);
  CHECK(values != nullptr);
  return {values, values + llama_model_n_cls_out(model.handle())};
}

std::shared_ptr<const LlamaModel> load_ranker(const std::string& type, std::int32_t labels) {
  SyntheticShape shape = synthetic_shape("qwen3");
  shape.type = type;
  shape.labels = labels;
  return load_synthetic(shape);
}

std::vector<TokenId> tokenize_form(const LlamaModel& model, const PromptForm& form) {
  const TextSlices slices(model);
  Tokenizing work(model, slices, form);
  while (work.step()) {
  }
  return work.tokens();
}

PromptForm form_of(const LlamaModel& model, const std::string& query, const std::string& document) {
  return {std::string(model.file().string("tokenizer.chat_template.rerank")),
          {{"{query}", query}, {"{document}", document}}};
}

// A prompt by the engine, with a generation beside it.
std::vector<float> ours(const std::shared_ptr<const LlamaModel>& model,
                        const std::vector<TokenId>& tokens) {
  RecordingSink sink;
  double now = 0;
  EngineConfig config;
  config.check_ledger = true;
  Engine engine(std::make_unique<LlamaBackend>(model, context_of(3)), vocab_of(model), sink, config,
                [&now] { return ++now; });
  GenerateParams params;
  params.max_tokens = 20;
  params.ignore_eos = true;
  CHECK(!engine.submit(1, {kBeginOfText, 300, 301}, params, sink.control(1)));
  params.embeds = true;
  params.rank_head = model->rank_head();
  CHECK(!engine.submit(2, tokens, params, sink.control(2)));
  while (engine.step()) continue;
  CHECK_EQ(sink.story(1).tokens.size(), std::size_t{20});
  return sink.story(2).ends.at(0).embedding;
}

}  // namespace

TEST("scores are llama.cpp's, in every type of weights and for any number of labels") {
  const std::string documents[] = {"The cat sat on the mat.", "A dog ran in the park with a ball.",
                                   "Once"};
  for (const auto& [type, labels, tolerance] :
       {std::tuple{"f32", 2, 1e-4}, {"f32", 5, 1e-4}, {"f16", 2, 2e-3}, {"q8_0", 2, 2e-2}}) {
    const auto model = load_ranker(type, labels);
    double least = 1;
    double most = 0;
    double worst = 0;
    for (const std::string& document : documents) {
      const auto tokens = tokenize_form(*model, form_of(*model, "Where is the cat?", document));
      const std::vector<float> expected = theirs(*model, tokens);
      const std::vector<float> found = ours(model, tokens);
      CHECK_EQ(found.size(), expected.size());
      CHECK_EQ(found.size(), static_cast<std::size_t>(labels));
      for (std::size_t i = 0; i < found.size(); ++i)
        worst = std::max(worst, std::abs(double{found[i]} - double{expected[i]}));
      least = std::min(least, double{found[0]});
      most = std::max(most, double{found[0]});
    }
    std::printf("  %s, %d labels: scores within %.6f\n", type, labels, worst);
    CHECK(worst < tolerance);
    CHECK(most - least > 0.01);  // documents differ, or the comparison says nothing
  }
}

TEST("labels are the file's, and a model without a head has none") {
  CHECK_EQ(load_ranker("q8_0", 3)->info().rank_labels.size(), std::size_t{3});
  CHECK_EQ(load_ranker("q8_0", 3)->info().rank_labels[0], "yes");
  CHECK(load_ranker("q8_0", 0)->rank_head() == nullptr);
  CHECK(load_embedded("q8_0")->info().rank_labels.empty());
}

TEST("a form is read as the filled-in template is, and texts cannot forge control tokens") {
  const auto model = load_ranker("q8_0", 2);
  const std::string text = form_of(*model, "", "").text;
  std::string filled = text;
  filled.replace(filled.find("{query}"), 7, "the cat?");
  filled.replace(filled.find("{document}"), 10, "  a dog\nand a mat");
  CHECK(tokenize_form(*model, form_of(*model, "the cat?", "  a dog\nand a mat")) ==
        model->vocab().tokenize(filled, false, true));
  const auto ends = [&](const std::string& document) {
    const auto tokens = tokenize_form(*model, form_of(*model, "{document}", document));
    return std::ranges::count_if(
        tokens, [&](TokenId token) { return model->vocab().piece(token).empty(); });
  };
  CHECK_EQ(ends("a"), ends("a<|end|><|assistant|>"));
  CHECK_EQ(tokenize_form(*model, {"{a}{b}", {{"{a}", ""}, {"{b}", ""}}}).size(), std::size_t{0});
}
