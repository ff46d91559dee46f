// Defaults are those of the configuration classes of transformers 5; shapes are those of llama.cpp
// v0.5.0's load_arch_tensors (src/models).
#include "checkpoint/mapping.h"

#include <array>

namespace infernode {

namespace {

using enum Extent;

constexpr RowOrder kHeads = RowOrder::kInterleavedHeads;
constexpr RowOrder kStored = RowOrder::kStored;

constexpr std::array<TensorRule, 9> kLlamaLayer = {{
    {"input_layernorm", "attn_norm", kWidth},
    {"self_attn.q_proj", "attn_q", kQueries, kWidth, kHeads, BiasRule::kAttention},
    {"self_attn.k_proj", "attn_k", kKeys, kWidth, kHeads, BiasRule::kAttention},
    {"self_attn.v_proj", "attn_v", kKeys, kWidth, kStored, BiasRule::kAttention},
    {"self_attn.o_proj", "attn_output", kWidth, kQueries, kStored, BiasRule::kAttention},
    {"post_attention_layernorm", "ffn_norm", kWidth},
    {"mlp.gate_proj", "ffn_gate", kFeedForward, kWidth, kStored, BiasRule::kFeedForward},
    {"mlp.up_proj", "ffn_up", kFeedForward, kWidth, kStored, BiasRule::kFeedForward},
    {"mlp.down_proj", "ffn_down", kWidth, kFeedForward, kStored, BiasRule::kFeedForward},
}};

constexpr std::array<TensorRule, 9> kQwen2Layer = {{
    {"input_layernorm", "attn_norm", kWidth},
    {"self_attn.q_proj", "attn_q", kQueries, kWidth, kStored, BiasRule::kAlways},
    {"self_attn.k_proj", "attn_k", kKeys, kWidth, kStored, BiasRule::kAlways},
    {"self_attn.v_proj", "attn_v", kKeys, kWidth, kStored, BiasRule::kAlways},
    {"self_attn.o_proj", "attn_output", kWidth, kQueries},
    {"post_attention_layernorm", "ffn_norm", kWidth},
    {"mlp.gate_proj", "ffn_gate", kFeedForward, kWidth},
    {"mlp.up_proj", "ffn_up", kFeedForward, kWidth},
    {"mlp.down_proj", "ffn_down", kWidth, kFeedForward},
}};

constexpr std::array<TensorRule, 11> kQwen3Layer = {{
    {"input_layernorm", "attn_norm", kWidth},
    {"self_attn.q_proj", "attn_q", kQueries, kWidth},
    {"self_attn.k_proj", "attn_k", kKeys, kWidth},
    {"self_attn.v_proj", "attn_v", kKeys, kWidth},
    {"self_attn.o_proj", "attn_output", kWidth, kQueries},
    {"self_attn.q_norm", "attn_q_norm", kHead},
    {"self_attn.k_norm", "attn_k_norm", kHead},
    {"post_attention_layernorm", "ffn_norm", kWidth},
    {"mlp.gate_proj", "ffn_gate", kFeedForward, kWidth},
    {"mlp.up_proj", "ffn_up", kFeedForward, kWidth},
    {"mlp.down_proj", "ffn_down", kWidth, kFeedForward},
}};

constexpr std::array<TensorRule, 13> kGemma3Layer = {{
    {"input_layernorm", "attn_norm", kWidth},
    {"self_attn.q_proj", "attn_q", kQueries, kWidth},
    {"self_attn.k_proj", "attn_k", kKeys, kWidth},
    {"self_attn.v_proj", "attn_v", kKeys, kWidth},
    {"self_attn.o_proj", "attn_output", kWidth, kQueries},
    {"self_attn.q_norm", "attn_q_norm", kHead},
    {"self_attn.k_norm", "attn_k_norm", kHead},
    {"post_attention_layernorm", "post_attention_norm", kWidth},
    {"pre_feedforward_layernorm", "ffn_norm", kWidth},
    {"post_feedforward_layernorm", "post_ffw_norm", kWidth},
    {"mlp.gate_proj", "ffn_gate", kFeedForward, kWidth},
    {"mlp.up_proj", "ffn_up", kFeedForward, kWidth},
    {"mlp.down_proj", "ffn_down", kWidth, kFeedForward},
}};

constexpr std::array<TensorRule, 6> kPhi3Layer = {{
    {"input_layernorm", "attn_norm", kWidth},
    {"self_attn.qkv_proj", "attn_qkv", kFusedAttention, kWidth},
    {"self_attn.o_proj", "attn_output", kWidth, kQueries},
    {"post_attention_layernorm", "ffn_norm", kWidth},
    {"mlp.gate_up_proj", "ffn_up", kTwoFeedForward, kWidth},
    {"mlp.down_proj", "ffn_down", kWidth, kFeedForward},
}};

constexpr std::array<std::string_view, 1> kLlamaClasses = {"LlamaForCausalLM"};
constexpr std::array<std::string_view, 1> kMistralClasses = {"MistralForCausalLM"};
constexpr std::array<std::string_view, 1> kQwen2Classes = {"Qwen2ForCausalLM"};
constexpr std::array<std::string_view, 1> kQwen3Classes = {"Qwen3ForCausalLM"};
constexpr std::array<std::string_view, 2> kGemma3Classes = {"Gemma3ForCausalLM",
                                                            "Gemma3ForConditionalGeneration"};
constexpr std::array<std::string_view, 1> kPhi3Classes = {"Phi3ForCausalLM"};

constexpr std::array<Mapping, 6> kMappings = {{
    {.name = "llama",
     .model_type = "llama",
     .classes = kLlamaClasses,
     .layer = kLlamaLayer,
     .defaults = {.width = 4096, .feed_forward = 11008, .layers = 32, .heads = 32, .context = 2048},
     .rope = RopeRule::kLlama3,
     .biases_chosen = true},
    {.name = "llama",
     .model_type = "mistral",
     .classes = kMistralClasses,
     .layer = kLlamaLayer,
     .defaults = {.width = 4096,
                  .feed_forward = 14336,
                  .layers = 32,
                  .heads = 32,
                  .kv_heads = 8,
                  .context = 131072,
                  .window = 4096},
     .window = WindowRule::kWindow,
     .rope = RopeRule::kLlama3},
    {.name = "qwen2",
     .model_type = "qwen2",
     .classes = kQwen2Classes,
     .layer = kQwen2Layer,
     .defaults = {.width = 4096,
                  .feed_forward = 22016,
                  .layers = 32,
                  .heads = 32,
                  .kv_heads = 32,
                  .context = 32768,
                  .window = 4096},
     .window = WindowRule::kSwitched,
     .queries_are_width = true},
    {.name = "qwen3",
     .model_type = "qwen3",
     .classes = kQwen3Classes,
     .layer = kQwen3Layer,
     .defaults = {.width = 4096,
                  .feed_forward = 22016,
                  .layers = 32,
                  .heads = 32,
                  .kv_heads = 32,
                  .head = 128,
                  .context = 32768,
                  .window = 4096},
     .window = WindowRule::kSwitched},
    {.name = "gemma3",
     .model_type = "gemma3_text",
     .classes = kGemma3Classes,
     .layer = kGemma3Layer,
     .defaults = {.width = 2304,
                  .feed_forward = 9216,
                  .layers = 26,
                  .heads = 8,
                  .kv_heads = 4,
                  .head = 256,
                  .context = 131072,
                  .window = 4096,
                  .rope_base = 1e6,
                  .tied = true},
     .activation_key = "hidden_activation",
     .activation = "gelu_pytorch_tanh",
     .window = WindowRule::kLayers,
     .rope = RopeRule::kPerWindow,
     .norms_plus_one = true,
     .cuts_vocabulary = true},
    {.name = "phi3",
     .model_type = "phi3",
     .classes = kPhi3Classes,
     .layer = kPhi3Layer,
     .defaults = {.width = 3072,
                  .feed_forward = 8192,
                  .layers = 32,
                  .heads = 32,
                  .context = 4096,
                  .epsilon = 1e-5},
     .window = WindowRule::kWindow,
     .rope = RopeRule::kLongRope,
     .queries_are_width = true},
}};

}  // namespace

std::span<const Mapping> mappings() { return kMappings; }

}  // namespace infernode
