// Files that are nowhere, judged by llama.cpp's own reader and arithmetic:
// their bytes are those of a GGUF whatever order they are read in, their
// weights are spread as planned, and what they compute depends on all of the
// context.
#include <numeric>

#include "backend_passes.h"
#include "check.h"
#include "ggml.h"
#include "gguf.h"
#include "llama.h"
#include "model/model_source.h"
#include "model/synthetic_file.h"
#include "synthetic_fixture.h"

using namespace infernode;

namespace {

constexpr const char* kArchitectures[] = {"llama",    "qwen2", "qwen3", "gemma3",
                                          "qwen3moe", "mamba", "jamba"};
constexpr const char* kTypes[] = {"f32", "f16", "q8_0", "q4_0", "q4_1"};

std::shared_ptr<const SyntheticFile> file_of(const SyntheticShape& shape) {
  return std::make_shared<const SyntheticFile>(shape);
}

std::string whole(const SyntheticFile& file) {
  std::string bytes(file.size(), '\0');
  file.read(0, bytes);
  return bytes;
}

SyntheticShape tiny(const std::string& type) {
  SyntheticShape shape = synthetic_shape("llama");
  shape.type = type;
  shape.layers = 1;
  return shape;
}

std::string content(std::FILE* stream) {
  std::string bytes;
  std::string piece(1000, '\0');
  while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), stream))
    bytes.append(piece, 0, count);
  return bytes;
}

// A tensor's numbers by ggml's own unpacking.
std::vector<float> numbers(const std::string& bytes, const gguf_context* file, const char* name,
                           std::size_t count) {
  const std::int64_t id = gguf_find_tensor(file, name);
  const char* data = bytes.data() + gguf_get_data_offset(file) + gguf_get_tensor_offset(file, id);
  std::vector<float> values(count);
  if (gguf_get_tensor_type(file, id) == GGML_TYPE_F32) {
    std::memcpy(values.data(), data, count * sizeof(float));
  } else {
    ggml_get_type_traits(gguf_get_tensor_type(file, id))
        ->to_float(data, values.data(), static_cast<std::int64_t>(count));
  }
  return values;
}

// The last row's logits of a prompt, from llama.cpp itself.
std::vector<float> logits_of(const std::shared_ptr<const LlamaModel>& model,
                             const std::vector<TokenId>& prompt) {
  LlamaBackend backend(model, context_of(1));
  std::vector<BatchRow> rows;
  for (const TokenId token : prompt)
    rows.push_back({token, 0, static_cast<Position>(rows.size()), false});
  rows.back().wants_logits = true;
  CHECK(run_prefill(backend, rows) == DecodeStatus::kOk);
  const auto logits = backend.logits(rows.size() - 1);
  return {logits.begin(), logits.end()};
}

double entropy(const std::vector<float>& logits) {
  const float most = *std::max_element(logits.begin(), logits.end());
  double sum = 0, weighted = 0;
  for (const float logit : logits) {
    const double weight = std::exp(static_cast<double>(logit - most));
    sum += weight;
    weighted += weight * static_cast<double>(logit - most);
  }
  return std::log(sum) - weighted / sum;
}

std::vector<TokenId> some_tokens(std::size_t count) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < count; ++i) tokens.push_back(static_cast<TokenId>(5 + i * 37 % 1200));
  return tokens;
}

}  // namespace

TEST("a file's bytes are the same in whatever pieces and order they are read") {
  for (const char* type : kTypes) {
    const auto file = file_of(tiny(type));
    const std::string expected = whole(*file);
    std::string pieces(expected.size(), 'x');
    std::mt19937_64 random(3);
    for (std::size_t end = expected.size(); end > 0;) {
      const std::size_t count = std::min<std::size_t>(end, 1 + random() % 7000);
      end -= count;
      file->read(end, std::span(pieces).subspan(end, count));
    }
    CHECK(pieces == expected);
  }
}

TEST("the stream and the written file give these bytes") {
  const auto file = file_of(tiny("q4_0"));
  const std::string expected = whole(*file);
  CHECK(content(ModelSource(file).open_stream().get()) == expected);
  const auto read = [&](std::uint64_t at, std::span<char> out) { file->read(at, out); };
  CHECK(content(open_written(file->size(), read, "written").get()) == expected);
  const FileHandle stream = ModelSource(file).open_stream();
  CHECK_EQ(std::fseek(stream.get(), -100, SEEK_END), 0);
  CHECK(content(stream.get()) == expected.substr(expected.size() - 100));
  CHECK(std::fseek(stream.get(), -1, SEEK_SET) != 0);
}

TEST("seeds and tensors differ, equal seeds do not") {
  SyntheticShape shape = tiny("q8_0");
  const std::string first = whole(*file_of(shape));
  CHECK(whole(*file_of(shape)) == first);
  shape.seed = 2;
  CHECK(whole(*file_of(shape)) != first);
}

TEST("llama.cpp reads the header, and the weights are spread as planned") {
  for (const char* type : kTypes) {
    const auto file = file_of(tiny(type));
    const FileHandle stream = ModelSource(file).open_stream();
    gguf_context* header =
        gguf_init_from_file_ptr(stream.get(), {.no_alloc = true, .ctx = nullptr});
    CHECK(header != nullptr);
    const std::string bytes = whole(*file);
    for (const auto& [name, deviation] :
         {std::pair{"blk.0.ffn_up.weight", 1 / std::sqrt(128.0)}, {"token_embd.weight", 1.0}}) {
      const std::vector<float> values = numbers(bytes, header, name, 128 * 256);
      const double count = static_cast<double>(values.size());
      const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
      double squares = 0;
      for (const float value : values)
        squares += static_cast<double>(value) * static_cast<double>(value);
      CHECK(std::abs(mean) < 0.03 * deviation);
      // A random zero nibble of q4_0 becomes the middle: a twentieth less.
      CHECK(std::abs(std::sqrt(squares / count) / deviation - 1) < 0.1);
    }
    gguf_free(header);
  }
}

TEST("every architecture loads, stays finite and looks back at all of its context") {
  const std::vector<TokenId> prompt = some_tokens(200);
  std::vector<TokenId> other = prompt;
  other[other.size() - 40] = 7;  // inside the smallest window
  for (const char* architecture : kArchitectures) {
    const auto model = load_synthetic(synthetic_shape(architecture));
    const std::vector<float> logits = logits_of(model, prompt);
    CHECK(std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); }));
    const double certainty = entropy(logits);
    const std::vector<float> changed = logits_of(model, other);
    float difference = 0;
    for (std::size_t i = 0; i < logits.size(); ++i)
      difference = std::max(difference, std::abs(logits[i] - changed[i]));
    std::printf("%s: entropy %.2f of %.2f, a token 40 back moves a logit by %.2f\n", architecture,
                certainty, std::log(static_cast<double>(logits.size())),
                static_cast<double>(difference));
    CHECK(certainty > 0.5 && certainty < std::log(static_cast<double>(logits.size())) - 1);
    CHECK(difference > 0.3f);
  }
}

TEST("a model keeps its seed's fingerprint, and a vocabulary that grows decodes") {
  SyntheticShape shape = synthetic_shape("qwen3");
  shape.vocabulary = 5000;
  const auto model = load_synthetic(shape);
  CHECK_EQ(model->info().vocabulary_size, 5000);
  CHECK_EQ(model->info().fingerprint, load_synthetic(shape)->info().fingerprint);
  shape.seed = 2;
  CHECK(model->info().fingerprint != load_synthetic(shape)->info().fingerprint);
  const std::string text = "The cat said \"no\" to 42 b\xc3\xa4rs.";
  CHECK_EQ(model->vocab().detokenize(model->vocab().tokenize(text, true, false), false), text);
  for (TokenId token = 5; token < 5000; ++token) CHECK(!model->vocab().piece(token).empty());
  shape.vocabulary = 345'000;  // more than there are words of three syllables
  CHECK_EQ(load_synthetic(shape)->info().vocabulary_size, 345'000);
  shape.vocabulary = 100;
  try {
    load_synthetic(shape);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kInvalidOption);
  }
}
