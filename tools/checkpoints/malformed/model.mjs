// Malformed models: entries 44 to 55 of the table.
import { linears, plain, poke16, tensor, without } from "./checkpoint.mjs";

const corrupt = ["MODEL_CORRUPT"];
const either = ["MODEL_CORRUPT", "MODEL_FORMAT_UNSUPPORTED"];
const foreign = ["MODEL_ARCHITECTURE_UNSUPPORTED"];
const kUp = "model.layers.1.mlp.up_proj";

const config = (change) => (model) => {
  Object.assign(model.config, change);
};

/** Stores every linear layer unquantized. */
function unquantized(model) {
  delete model.config.quantization_config;
  for (const layer of [0, 1])
    for (const [name, rows, columns] of linears) {
      const module = `model.layers.${layer}.${name}`;
      without(model, module);
      plain(model, module, rows, columns);
    }
}

function asQwen2(model) {
  model.config.architectures = ["Qwen2ForCausalLM"];
  model.config.model_type = "qwen2";
}

const architectureEntries = [
  {
    entry: "44 an architecture nobody knows",
    change: config({ architectures: ["FutureForCausalLM"], model_type: "future" }),
    refused: foreign,
    names: ["Future|future"],
  },
  {
    entry: "44 an architecture of the checkpoint's own code",
    change: config({
      architectures: ["HomemadeForCausalLM"],
      model_type: "homemade",
      auto_map: { AutoModelForCausalLM: "modeling_homemade.HomemadeForCausalLM" },
    }),
    refused: foreign,
    names: ["omemade"],
  },
  {
    entry: "44 no architecture",
    change: (model) => {
      delete model.config.architectures;
      delete model.config.model_type;
    },
    refused: [...foreign, ...either],
    names: ["config.json"],
  },
  {
    entry: "53 a mixture of experts of qwen2",
    change: config({ architectures: ["Qwen2MoeForCausalLM"], model_type: "qwen2_moe", num_experts: 0 }),
    refused: foreign,
    names: ["Qwen2Moe|qwen2_moe"],
  },
  {
    entry: "55 a vision tower without a text model",
    change: (model) => {
      const tower = [...model.tensors].map(([name, made]) => [`vision_tower.${name}`, made]);
      model.tensors = new Map(tower);
    },
    refused: either,
    names: ["model.embed_tokens|embed_tokens|vision_tower"],
  },
];

const layerEntries = [
  {
    entry: "45 a layer's norm is missing",
    change: (model) => model.tensors.delete("model.layers.1.input_layernorm.weight"),
    refused: corrupt,
    names: ["model.layers.1.input_layernorm"],
  },
  {
    entry: "45 a layer's matrix is missing",
    change: (model) => without(model, kUp),
    refused: corrupt,
    names: [kUp],
  },
  {
    entry: "45 config has more layers than the tensors",
    change: config({ num_hidden_layers: 3 }),
    refused: corrupt,
    names: ["model.layers.2|num_hidden_layers"],
  },
  {
    entry: "45 tensors have more layers than the config",
    change: config({ num_hidden_layers: 1 }),
    refused: corrupt,
    names: ["model.layers.1|num_hidden_layers"],
  },
  {
    entry: "45 no final norm",
    change: (model) => model.tensors.delete("model.norm.weight"),
    refused: corrupt,
    names: ["model.norm"],
  },
  {
    entry: "45 no embeddings",
    change: (model) => model.tensors.delete("model.embed_tokens.weight"),
    refused: corrupt,
    names: ["model.embed_tokens"],
  },
  {
    entry: "46 scales of activations",
    change: (model) => model.tensors.set("model.layers.0.mlp.act.scales", tensor("F16", [128])),
    refused: either,
    names: ["model.layers.0.mlp.act.scales"],
  },
  {
    entry: "46 an adapter among the weights",
    change: (model) =>
      model.tensors.set("model.layers.0.self_attn.q_proj.lora_A.weight", tensor("F16", [8, 64])),
    refused: either,
    names: ["lora_A"],
  },
  {
    entry: "46 rotary_emb.inv_freq of old checkpoints is ignored",
    change: (model) => model.tensors.set("model.layers.0.self_attn.rotary_emb.inv_freq", tensor("F32", [16])),
  },
  {
    entry: "48 a bias the architecture has no place for",
    change: (model) => model.tensors.set("model.layers.0.input_layernorm.bias", tensor("F16", [64])),
    refused: either,
    names: ["model.layers.0.input_layernorm.bias"],
  },
  {
    entry: "48 qwen2 without biases",
    change: asQwen2,
    refused: corrupt,
    names: ["q_proj.bias|k_proj.bias|v_proj.bias"],
  },
  {
    entry: "50 no head, and not tied",
    change: (model) => model.tensors.delete("lm_head.weight"),
    refused: corrupt,
    names: ["lm_head"],
  },
  {
    entry: "50 no head, tied",
    change: (model) => {
      model.tensors.delete("lm_head.weight");
      model.config.tie_word_embeddings = true;
    },
  },
  {
    entry: "52 head of other rows than the embeddings",
    change: (model) => model.tensors.set("lm_head.weight", tensor("F16", [280, 64])),
    refused: corrupt,
    names: ["lm_head|embed_tokens"],
  },
  {
    entry: "52 fewer embeddings than tokens",
    change: (model) => {
      model.config.vocab_size = 200;
      model.tensors.set("model.embed_tokens.weight", tensor("F16", [200, 64]));
      model.tensors.set("lm_head.weight", tensor("F16", [200, 64]));
    },
    refused: corrupt,
    names: ["tokenizer.json|embed_tokens"],
  },
];

/** config.json keys whose values the model cannot have. */
function absurd() {
  const values = [
    ["47", "num_attention_heads", 3],
    ["47", "num_key_value_heads", 3],
    ["47", "num_attention_heads", 0],
    ["47", "num_attention_heads", -2],
    ["47", "num_attention_heads", 2.5],
    ["47", "head_dim", 31],
    ["47", "hidden_size", 0],
    ["47", "hidden_size", "wide"],
    ["47", "hidden_size", null],
    ["47", "intermediate_size", 0],
    ["47", "num_hidden_layers", 0],
    ["47", "num_hidden_layers", 513],
    ["47", "num_hidden_layers", 1e18],
    ["47", "vocab_size", 2 ** 25],
    ["47", "max_position_embeddings", 0],
    ["47", "rms_norm_eps", -1],
    ["49", "rope_theta", -10000],
    ["51", "hidden_act", "gelu"],
  ];
  return values.map(([number, key, value]) => ({
    entry: `${number} ${key} of ${value}`,
    change: config({ [key]: value }),
    refused: either,
    names: [key],
  }));
}

/** One factor for each two numbers of a head, which has 32. */
const longRope = (count) => ({
  rope_type: "longrope",
  short_factor: Array(count).fill(1),
  long_factor: Array(count).fill(2),
  original_max_position_embeddings: 64,
});

const rope = (scaling, names) => ({
  change: config({ rope_scaling: scaling }),
  refused: either,
  names,
});

const ropeEntries = [
  { entry: "49 rope scaling nobody knows", ...rope({ rope_type: "spiral", factor: 2 }, ["spiral"]) },
  { entry: "49 dynamic rope scaling", ...rope({ type: "dynamic", factor: 2 }, ["dynamic"]) },
  { entry: "49 linear rope scaling by 0", ...rope({ rope_type: "linear", factor: 0 }, ["factor"]) },
  { entry: "49 linear rope scaling by -2", ...rope({ rope_type: "linear", factor: -2 }, ["factor"]) },
  { entry: "49 linear rope scaling without a factor", ...rope({ rope_type: "linear" }, ["factor"]) },
  {
    entry: "49 llama3 rope scaling from a frequency to itself",
    ...rope(
      {
        rope_type: "llama3",
        factor: 8,
        low_freq_factor: 4,
        high_freq_factor: 4,
        original_max_position_embeddings: 64,
      },
      ["freq_factor"],
    ),
  },
  { entry: "49 rope scaling that is a list", ...rope([1, 2], ["rope_scaling"]) },
  { entry: "49 longrope of fewer factors than half a head", ...rope(longRope(15), ["short_factor"]) },
  { entry: "49 longrope", change: config({ rope_scaling: longRope(16) }) },
  { entry: "49 linear rope scaling", change: config({ rope_scaling: { rope_type: "linear", factor: 2 } }) },
];

const valueEntries = [
  {
    entry: "54 an embedding that is infinite",
    change: (model) => poke16(model, "model.embed_tokens.weight", 7, 0x7c00),
    refused: corrupt,
    names: ["model.embed_tokens.weight|token_embd.weight"],
  },
  {
    entry: "54 a norm that is NaN",
    change: (model) => poke16(model, "model.norm.weight", 7, 0x7e01),
    refused: corrupt,
    names: ["model.norm.weight|output_norm.weight"],
  },
  {
    entry: "54 a plain matrix of bf16 with NaN",
    change: (model) => {
      unquantized(model);
      model.tensors.set(`${kUp}.weight`, tensor("BF16", [128, 64]));
      poke16(model, `${kUp}.weight`, 9, 0x7fc0);
    },
    refused: corrupt,
    names: [`${kUp}.weight|blk.1.ffn_up.weight`],
  },
  { entry: "54 no quantization at all", change: unquantized },
];

export const modelEntries = [
  ...architectureEntries,
  ...layerEntries,
  ...absurd(),
  ...ropeEntries,
  ...valueEntries,
];
