// Scales, with d the number of terms summed per result: a matrix with standard deviation 1/sqrt(d)
// keeps the magnitude of its input. Queries and keys are made larger, so that attention selects
// instead of averaging; the output as well, so that the likeliest token stands out whatever the
// vocabulary's size.
#include "model/synthetic_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "core/types.h"

namespace infernode {

namespace {

constexpr std::array<std::string_view, 7> kArchitectures = {"llama",    "qwen2", "qwen3", "gemma3",
                                                            "qwen3moe", "mamba", "jamba"};
constexpr std::int32_t kConvolution = 4;        // kernel length, as in Mamba
constexpr std::int32_t kWidthPerTimeStep = 16;  // as in Mamba
constexpr std::int32_t kSlidingPeriod = 6;  // layers; the last of them has full attention (Gemma 3)
constexpr std::int32_t kAttentionPeriod = 4;  // layers; the last of them is an attention layer
constexpr float kAttentionGain = 1.7f;  // attention scores have its square as standard deviation
constexpr float kStateGain = 3;         // of the input and output of a recurrent state
constexpr float kOutputGain = 3;        // standard deviation of logits
constexpr float kRankGain = 1;          // standard deviation of scores before their softmax
constexpr float kEpsilon = 1e-5f;
constexpr float kRotaryBase = 10000;

bool is_one_of(const SyntheticShape& shape, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, shape.architecture) != names.end();
}

bool recurrent(const SyntheticShape& shape) { return is_one_of(shape, {"mamba", "jamba"}); }

bool attends(const SyntheticShape& shape, std::int32_t layer) {
  if (shape.architecture == "mamba") return false;
  if (shape.architecture != "jamba") return true;
  const std::int32_t period = std::min(kAttentionPeriod, shape.layers);
  return layer % period == period - 1;
}

std::int32_t time_steps(const SyntheticShape& shape) {
  return (shape.width + kWidthPerTimeStep - 1) / kWidthPerTimeStep;
}

// Half the width of a uniform distribution with this standard deviation.
float spread_of(double deviation) { return static_cast<float>(deviation * std::sqrt(3.0)); }

// llama.cpp's number (llama.h, enum llama_ftype).
std::uint32_t file_type_of(std::string_view type) {
  constexpr std::array<std::pair<std::string_view, std::uint32_t>, 5> kNumbers = {
      {{"f32", 0}, {"f16", 1}, {"q4_0", 2}, {"q4_1", 3}, {"q8_0", 7}}};
  const auto found = std::ranges::find(kNumbers, type, [](const auto& row) { return row.first; });
  return found == kNumbers.end() ? 0 : found->second;
}

class Plan {
 public:
  explicit Plan(const SyntheticShape& shape) : shape_(shape), matrix_(synthetic_type(shape.type)) {
    if (matrix_ == nullptr) {
      throw Error(
          ErrorCode::kInvalidOption,
          "Synthetic weights have type f32, f16, q8_0, q4_0 or q4_1, not '" + shape.type + "'.");
    }
  }

  std::vector<SyntheticTensor> tensors() {
    const bool scaled = shape_.architecture == "gemma3";  // it multiplies by sqrt(width) itself
    matrix("token_embd.weight", width(), vocabulary(), scaled ? 1 : std::sqrt(1.0 * shape_.width));
    for (std::int32_t layer = 0; layer < shape_.layers; ++layer) {
      prefix_ = "blk." + std::to_string(layer) + ".";
      vector("attn_norm.weight", width(), 1);
      attends(shape_, layer) ? attention() : state_space();
      if (shape_.architecture != "mamba") feed_forward();
    }
    prefix_.clear();
    vector("output_norm.weight", width(), 1);
    matrix("output.weight", width(), vocabulary(), kOutputGain);
    if (shape_.labels > 0)
      matrix("cls.output.weight", width(), static_cast<std::uint64_t>(shape_.labels), kRankGain);
    return std::move(tensors_);
  }

 private:
  std::uint64_t width() const { return static_cast<std::uint64_t>(shape_.width); }
  std::uint64_t inner() const { return 2 * width(); }  // llama.cpp supports no other expansion
  std::uint64_t vocabulary() const { return static_cast<std::uint64_t>(shape_.vocabulary); }

  void add(std::string_view name, std::vector<std::uint64_t> shape, const GgufTensorType* type,
           float center, float spread) {
    tensors_.push_back({prefix_ + std::string(name), std::move(shape), type, center, spread});
  }

  // A matrix of `rows` rows of `length`, with standard deviation gain / sqrt(length).
  void matrix(std::string_view name, std::uint64_t length, std::uint64_t rows, double gain) {
    add(name, {length, rows}, matrix_, 0, spread_of(gain / std::sqrt(static_cast<double>(length))));
  }
  // Small tensors that no converter quantizes.
  void plain_matrix(std::string_view name, std::uint64_t length, std::uint64_t rows, double gain) {
    add(name, {length, rows}, f32(), 0, spread_of(gain / std::sqrt(static_cast<double>(length))));
  }
  void vector(std::string_view name, std::uint64_t length, float center, float spread = 0) {
    add(name, {length}, f32(), center, spread);
  }
  static const GgufTensorType* f32() { return synthetic_type("f32"); }

  void attention() {
    const std::uint64_t head = width() / static_cast<std::uint64_t>(shape_.heads);
    const std::uint64_t cached = head * static_cast<std::uint64_t>(shape_.kv_heads);
    const bool normed = is_one_of(shape_, {"qwen3", "qwen3moe", "gemma3"});
    const float gain = normed ? 1 : kAttentionGain;
    matrix("attn_q.weight", width(), width(), gain);
    matrix("attn_k.weight", width(), cached, gain);
    matrix("attn_v.weight", width(), cached, 1);
    if (shape_.architecture == "qwen2") {
      for (const auto& [name, length] :
           {std::pair{"attn_q.bias", width()}, {"attn_k.bias", cached}, {"attn_v.bias", cached}})
        vector(name, length, 0, spread_of(0.1));
    }
    if (normed) {
      vector("attn_q_norm.weight", head, kAttentionGain);
      vector("attn_k_norm.weight", head, kAttentionGain);
    }
    matrix("attn_output.weight", width(), width(), 1);
    if (shape_.architecture == "gemma3") vector("post_attention_norm.weight", width(), 1);
  }

  void feed_forward() {
    const auto wide = static_cast<std::uint64_t>(shape_.feed_forward);
    vector("ffn_norm.weight", width(), 1);
    if (shape_.architecture == "qwen3moe") return experts();
    matrix("ffn_gate.weight", width(), wide, 1);
    matrix("ffn_up.weight", width(), wide, 1);
    matrix("ffn_down.weight", wide, width(), 1);
    if (shape_.architecture == "gemma3") vector("post_ffw_norm.weight", width(), 1);
  }

  void experts() {
    const auto wide = static_cast<std::uint64_t>(shape_.feed_forward);
    const auto count = static_cast<std::uint64_t>(shape_.experts);
    plain_matrix("ffn_gate_inp.weight", width(), count, 1);
    const float in = spread_of(1 / std::sqrt(static_cast<double>(width())));
    const float out = spread_of(1 / std::sqrt(static_cast<double>(wide)));
    add("ffn_gate_exps.weight", {width(), wide, count}, matrix_, 0, in);
    add("ffn_up_exps.weight", {width(), wide, count}, matrix_, 0, in);
    add("ffn_down_exps.weight", {wide, width(), count}, matrix_, 0, out);
  }

  // A Mamba layer. Decay rates of 0.2 to 2 and time steps of about 0.001 to 0.1 (the softplus of
  // the bias) give memories of five to thousands of positions.
  void state_space() {
    const auto state = static_cast<std::uint64_t>(shape_.state);
    const auto steps = static_cast<std::uint64_t>(time_steps(shape_));
    matrix("ssm_in.weight", width(), 2 * inner(), 1);
    plain_matrix("ssm_conv1d.weight", kConvolution, inner(), 1);
    vector("ssm_conv1d.bias", inner(), 0, spread_of(0.1));
    matrix("ssm_x.weight", inner(), steps + 2 * state, kStateGain);
    if (shape_.architecture == "jamba") {
      vector("ssm_dt_norm.weight", steps, 1);
      vector("ssm_b_norm.weight", state, 1);
      vector("ssm_c_norm.weight", state, 1);
    }
    plain_matrix("ssm_dt.weight", steps, inner(), 1);
    vector("ssm_dt.bias", inner(), -4.5f, 2.3f);
    add("ssm_a", {state, inner()}, f32(), -1.1f, 0.9f);
    vector("ssm_d", inner(), 1);
    matrix("ssm_out.weight", inner(), width(), 1);
  }

  const SyntheticShape& shape_;
  const GgufTensorType* matrix_;
  std::string prefix_;
  std::vector<SyntheticTensor> tensors_;
};

// In the form converters give a Qwen3 reranker, with the embedded model's control tokens.
void write_ranking(const SyntheticShape& shape, GgufWriter& header) {
  constexpr std::uint32_t kRank = 4;  // llama.h, enum llama_pooling_type
  std::vector<std::string> labels = {"yes", "no"};
  while (labels.size() < static_cast<std::size_t>(shape.labels))
    labels.push_back("label " + std::to_string(labels.size() + 1));
  header.whole(shape.architecture + ".pooling_type", kRank);
  header.texts(shape.architecture + ".classifier.output_labels", labels);
  header.text("tokenizer.chat_template.rerank",
              "<|system|>Does the document meet the query?<|end|><|user|>Query: {query}\n"
              "Document: {document}<|end|><|assistant|>");
}

}  // namespace

void write_hyperparameters(const SyntheticShape& shape, GgufWriter& header) {
  if (std::ranges::find(kArchitectures, shape.architecture) == kArchitectures.end()) {
    throw Error(ErrorCode::kInvalidOption,
                "No synthetic model has the architecture '" + shape.architecture + "'.");
  }
  const auto key = [&](const char* name) { return shape.architecture + "." + name; };
  const auto whole = [&](const char* name, std::int32_t value) {
    header.whole(key(name), static_cast<std::uint32_t>(value));
  };
  header.text("general.architecture", shape.architecture);
  header.text("general.name", shape.reference);
  header.whole("general.file_type", file_type_of(shape.type));
  whole("context_length", shape.context_length);
  whole("embedding_length", shape.width);
  whole("block_count", shape.layers);
  whole("feed_forward_length", shape.architecture == "mamba" ? 0 : shape.feed_forward);
  whole("vocab_size", shape.vocabulary);
  header.real(key("attention.layer_norm_rms_epsilon"), kEpsilon);
  whole("attention.head_count", shape.architecture == "mamba" ? 0 : shape.heads);
  if (shape.architecture == "jamba") {
    std::vector<std::int32_t> heads;
    for (std::int32_t layer = 0; layer < shape.layers; ++layer)
      heads.push_back(attends(shape, layer) ? shape.kv_heads : 0);
    header.integers(key("attention.head_count_kv"), heads);
  } else if (shape.architecture != "mamba") {
    whole("attention.head_count_kv", shape.kv_heads);
    whole("attention.key_length", shape.width / shape.heads);
    whole("attention.value_length", shape.width / shape.heads);
    whole("rope.dimension_count", shape.width / shape.heads);
    header.real(key("rope.freq_base"), kRotaryBase);
  }
  if (shape.architecture == "gemma3") {
    whole("attention.sliding_window", shape.window);
    whole("attention.sliding_window_pattern", std::min(kSlidingPeriod, shape.layers));
  }
  if (shape.architecture == "qwen3moe") {
    whole("expert_count", shape.experts);
    whole("expert_used_count", shape.experts_used);
    whole("expert_feed_forward_length", shape.feed_forward);
  }
  if (shape.labels > 0) write_ranking(shape, header);
  if (!recurrent(shape)) return;
  whole("ssm.conv_kernel", kConvolution);
  whole("ssm.inner_size", 2 * shape.width);
  whole("ssm.state_size", shape.state);
  whole("ssm.time_step_rank", time_steps(shape));
}

std::vector<SyntheticTensor> synthetic_tensors(const SyntheticShape& shape) {
  return Plan(shape).tensors();
}

}  // namespace infernode
