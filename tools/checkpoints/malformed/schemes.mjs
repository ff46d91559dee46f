// Malformed quantization, by what the config says of it: entries 22 to 24 and 38 to 43 of the
// table, and some valid neighbours of them.
import { asCompressed, asGptq, compressed, gemm, gptq, kVocabulary, plain, relaid } from "./checkpoint.mjs";

const kUp = "model.layers.1.mlp.up_proj";
const unsupported = ["MODEL_FORMAT_UNSUPPORTED"];
const either = ["MODEL_CORRUPT", "MODEL_FORMAT_UNSUPPORTED"];

/** Changes the quantization_config. */
const told = (change) => (model) => {
  Object.assign(model.config.quantization_config, change);
};
const asMethod = (quantization) => (model) => {
  model.config.quantization_config = quantization;
};
/** compressed-tensors with another scheme. */
export const scheme = (weights, rest) => (model) => {
  relaid(model, compressed, asCompressed(weights, rest));
};

function methods() {
  const bits = { bits: 4, group_size: 32 };
  return [
    { quant_method: "bitsandbytes", load_in_4bit: true, bnb_4bit_quant_type: "nf4" },
    { quant_method: "hqq", quant_config: {} },
    { quant_method: "fp8", activation_scheme: "dynamic", weight_block_size: [128, 128] },
    { quant_method: "mxfp4" },
    { quant_method: "modelopt", quant_algo: "NVFP4", kv_cache_quant_algo: "FP8" },
    { quant_method: "fbgemm_fp8" },
    { quant_method: "marlin", ...bits },
    { quant_method: "from-the-future", ...bits },
  ].map((quantization) => ({
    entry: `23 quant_method ${quantization.quant_method}`,
    change: asMethod(quantization),
    refused: unsupported,
    names: [quantization.quant_method],
  }));
}

/** Layouts of compressed-tensors that are not integers in whole rows. */
const layouts = ["float-quantized", "nvfp4-pack-quantized", "marlin-24"];

const methodEntries = [
  {
    entry: "22 quantized tensors without a quantization_config",
    change: (model) => {
      delete model.config.quantization_config;
    },
    refused: either,
    names: ["quantization_config"],
  },
  ...methods(),
  {
    entry: "23 MLX, whose key is quantization",
    change: (model) => {
      delete model.config.quantization_config;
      model.config.quantization = { group_size: 64, bits: 4 };
    },
    refused: unsupported,
    names: ["config.json", "MLX", "GGUF"],
  },
  { entry: "23 AWQ of 3 bits", change: told({ bits: 3 }), refused: either, names: ["bits"] },
  { entry: "23 bits that are a text", change: told({ bits: "four" }), refused: either, names: ["bits"] },
  {
    entry: "23 GPTQ packed in I16",
    change: (model) => relaid(model, gptq, { ...asGptq, pack_dtype: "int16" }),
    refused: either,
    names: ["pack_dtype"],
  },
  { entry: "24 AWQ for marlin", change: told({ version: "marlin" }), refused: either, names: ["marlin"] },
  ...["exllama", "ipex"].map((version) => ({
    entry: `24 AWQ for ${version}`,
    change: told({ version }),
    refused: unsupported,
    names: [`AWQ version '${version}'`, "gemm"],
  })),
  {
    entry: "24 a version nobody knows",
    change: told({ version: "gemm9" }),
    refused: either,
    names: ["gemm9"],
  },
  {
    entry: "24 gemv says the config, gemm the tensors",
    change: told({ version: "gemv" }),
    refused: either,
    names: ["qweight|scales"],
  },
  {
    entry: "24 gemv_fast says the config, gemm the tensors",
    change: told({ version: "gemv_fast" }),
    refused: either,
    names: ["qweight|scales"],
  },
  {
    entry: "24 gptq says the config, gemm the tensors",
    change: asMethod(asGptq),
    refused: either,
    names: ["qweight"],
  },
];

const moduleEntries = [
  {
    entry: "38 a layer both plain and quantized",
    change: (model) => plain(model, kUp, 128, 64),
    refused: either,
    names: [kUp],
  },
  {
    entry: "39 quantized embeddings",
    change: (model) => {
      model.tensors.delete("model.embed_tokens.weight");
      gemm(model, "model.embed_tokens", kVocabulary, 64);
    },
    refused: ["MODEL_FORMAT_UNSUPPORTED"],
    names: ["model.safetensors", "model.embed_tokens.q", "quantized embeddings"],
  },
  {
    entry: "39 a quantized head",
    change: (model) => {
      model.tensors.delete("lm_head.weight");
      gemm(model, "lm_head", kVocabulary, 64);
    },
  },
  { entry: "40 compressed-tensors, 4 bits in groups", change: scheme() },
  {
    entry: "40 compressed-tensors of 3 bits",
    change: scheme({ num_bits: 3 }),
    refused: either,
    names: ["num_bits"],
  },
  {
    entry: "40 compressed-tensors of floats",
    change: scheme({ type: "float" }),
    refused: either,
    names: ["float"],
  },
  ...layouts.map((format) => ({
    entry: `40 compressed-tensors, ${format}`,
    change: (model) => {
      scheme()(model);
      model.config.quantization_config.format = format;
    },
    refused: unsupported,
    names: ["config.json", format, "GGUF"],
  })),
  {
    entry: "40 compressed-tensors, dynamic weights",
    change: scheme({ dynamic: true }),
    refused: either,
    names: ["dynamic"],
  },
  {
    entry: "40 compressed-tensors, 8-bit activations over 4-bit weights",
    change: scheme(
      {},
      {
        input_activations: { num_bits: 8, type: "int", symmetric: true, strategy: "tensor", dynamic: false },
      },
    ),
    refused: either,
    names: ["input_activations"],
  },
  {
    entry: "40 compressed-tensors, groups of different weights",
    change: (model) => {
      scheme()(model);
      const groups = model.config.quantization_config.config_groups;
      groups.group_1 = {
        targets: ["re:.*down_proj"],
        weights: { ...groups.group_0.weights, num_bits: 8, group_size: 64 },
      };
    },
    refused: either,
    names: ["config_groups"],
  },
  {
    entry: "40 compressed-tensors, weight_shape of another layer",
    change: (model) => {
      scheme()(model);
      model.tensors.get(`${kUp}.weight_shape`).data.writeBigInt64LE(64n, 0);
    },
    refused: either,
    names: [`${kUp}.weight_shape`],
  },
  {
    entry: "40 compressed-tensors, sparse",
    change: (model) => {
      scheme()(model);
      model.config.quantization_config.sparsity_config = {
        format: "sparse-24-bitmask",
        sparsity_structure: "2:4",
      };
    },
    refused: either,
    names: ["spars"],
  },
  {
    entry: "41 GPTQModel with layers of other bits",
    change: (model) =>
      relaid(model, gptq, { ...asGptq, dynamic: { "+:.*down_proj.*": { bits: 8, group_size: 64 } } }),
    refused: either,
    names: ["dynamic"],
  },
  {
    entry: "42 a mixture of experts",
    change: (model) => {
      model.config.architectures = ["MixtralForCausalLM"];
      model.config.model_type = "mixtral";
      model.config.num_local_experts = 8;
    },
    refused: ["MODEL_ARCHITECTURE_UNSUPPORTED"],
    names: ["mixtral|Mixtral"],
  },
  {
    entry: "43 q quantized, k and v plain",
    change: (model) => {
      for (const part of ["k_proj", "v_proj"]) {
        const module = `model.layers.0.self_attn.${part}`;
        for (const end of ["qweight", "qzeros", "scales"]) model.tensors.delete(`${module}.${end}`);
        plain(model, module, 32, 64);
      }
    },
  },
];

export const schemeEntries = [...methodEntries, ...moduleEntries];
