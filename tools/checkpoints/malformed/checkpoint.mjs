// A small valid checkpoint in memory, which the table of malformed checkpoints changes and
// writes. llama, 2 layers, AutoAWQ gemm with groups of 32. Weights are a fixed pattern: what
// they compute does not matter here. No Python, so that tests make the table anywhere.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

const kHidden = 64;
const kFeedForward = 128;
const kKeys = 32;
export const kVocabulary = 272;
export const kGroup = 32;

const elementBytes = { F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1, F8_E4M3: 1 };

/** A tensor whose bytes repeat `pattern`: by default small numbers of its type. */
export function tensor(dtype, shape, pattern) {
  const bytes = shape.reduce((product, extent) => product * extent, elementBytes[dtype]);
  const fill = pattern ??
    { F32: [0, 0, 0, 60], F16: [0, 0x24], BF16: [0, 0x3c] }[dtype] ?? [0x53, 0x96, 0x27];
  const data = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at++) data[at] = fill[at % fill.length];
  return { dtype, shape, data };
}

/** Sets one 16-bit number of a tensor. */
export function poke16(model, name, element, bits) {
  model.tensors.get(name).data.writeUInt16LE(bits, element * 2);
}

/** A quantized layer as AutoAWQ's gemm stores it; scales of f16 0.0156, zeros of 7. */
export function gemm(model, module, rows, columns, group = kGroup) {
  model.tensors.set(`${module}.qweight`, tensor("I32", [columns, rows / 8]));
  model.tensors.set(`${module}.qzeros`, tensor("I32", [columns / group, rows / 8], [0x77]));
  model.tensors.set(`${module}.scales`, tensor("F16", [columns / group, rows]));
}

/** The same as GPTQ stores it. */
export function gptq(model, module, rows, columns, group = kGroup) {
  model.tensors.set(`${module}.qweight`, tensor("I32", [columns / 8, rows]));
  model.tensors.set(`${module}.qzeros`, tensor("I32", [columns / group, rows / 8], [0x77]));
  model.tensors.set(`${module}.scales`, tensor("F16", [columns / group, rows]));
  const index = tensor("I32", [columns]);
  for (let column = 0; column < columns; column++)
    index.data.writeInt32LE(Math.floor(column / group), column * 4);
  model.tensors.set(`${module}.g_idx`, index);
}

/** The same in gemv_fast's layout; scaled zeros are -7 times the scale. */
export function gemvFast(model, module, rows, columns) {
  const padded = 8 * 4 * Math.ceil(columns / kGroup / 8 / 4);
  model.tensors.set(`${module}.qweight`, tensor("I16", [rows / 4, columns]));
  model.tensors.set(`${module}.qzeros`, tensor("F16", [padded, rows], [0, 0xaf]));
  model.tensors.set(`${module}.scales`, tensor("F16", [padded, rows]));
}

/** The same as compressed-tensors' pack-quantized, asymmetric. */
export function compressed(model, module, rows, columns, group = kGroup) {
  model.tensors.set(`${module}.weight_packed`, tensor("I32", [rows, columns / 8]));
  model.tensors.set(`${module}.weight_scale`, tensor("BF16", [rows, columns / group]));
  model.tensors.set(`${module}.weight_zero_point`, tensor("I32", [rows / 8, columns / group], [0x77]));
  const shape = tensor("I64", [2]);
  shape.data.writeBigInt64LE(BigInt(rows), 0);
  shape.data.writeBigInt64LE(BigInt(columns), 8);
  model.tensors.set(`${module}.weight_shape`, shape);
}

/** An unquantized layer. */
export function plain(model, module, rows, columns) {
  model.tensors.set(`${module}.weight`, tensor("F16", [rows, columns]));
}

export const linears = [
  ["self_attn.q_proj", kHidden, kHidden],
  ["self_attn.k_proj", kKeys, kHidden],
  ["self_attn.v_proj", kKeys, kHidden],
  ["self_attn.o_proj", kHidden, kHidden],
  ["mlp.gate_proj", kFeedForward, kHidden],
  ["mlp.up_proj", kFeedForward, kHidden],
  ["mlp.down_proj", kHidden, kFeedForward],
];

/** Removes every tensor of a module. */
export function without(model, module) {
  for (const name of [...model.tensors.keys()]) if (name.startsWith(`${module}.`)) model.tensors.delete(name);
}

/** Stores every linear layer by `layout` instead, under another quantization_config. */
export function relaid(model, layout, quantization, ...rest) {
  for (let layer = 0; layer < 2; layer++)
    for (const [name, rows, columns] of linears) {
      const module = `model.layers.${layer}.${name}`;
      without(model, module);
      layout(model, module, rows, columns, ...rest);
    }
  model.config.quantization_config = quantization;
}

export const asGptq = { quant_method: "gptq", bits: 4, group_size: kGroup, sym: true, desc_act: false };
export const asFast = {
  quant_method: "awq",
  bits: 4,
  group_size: kGroup,
  zero_point: true,
  version: "gemv_fast",
};

/** compressed-tensors' config; `weights` and `rest` change what they name. */
export function asCompressed(weights = {}, rest = {}) {
  const scheme = {
    num_bits: 4,
    type: "int",
    symmetric: false,
    strategy: "group",
    group_size: kGroup,
    actorder: null,
    dynamic: false,
    ...weights,
  };
  const group = { targets: ["Linear"], weights: scheme, input_activations: null, output_activations: null };
  return {
    quant_method: "compressed-tensors",
    format: "pack-quantized",
    config_groups: { group_0: { ...group, ...rest } },
    ignore: ["lm_head"],
    quantization_status: "compressed",
  };
}

/** A fresh valid model. */
export function validModel() {
  const model = {
    config: config(),
    tokenizer: tokenizer(),
    tokenizerConfig: {},
    files: new Map(),
    tensors: new Map(),
  };
  model.tensors.set("model.embed_tokens.weight", tensor("F16", [kVocabulary, kHidden]));
  for (let layer = 0; layer < 2; layer++) {
    const at = `model.layers.${layer}`;
    for (const [name, rows, columns] of linears) gemm(model, `${at}.${name}`, rows, columns);
    for (const norm of ["input_layernorm", "post_attention_layernorm"])
      model.tensors.set(`${at}.${norm}.weight`, tensor("F16", [kHidden], [0, 0x3c]));
  }
  model.tensors.set("model.norm.weight", tensor("F16", [kHidden], [0, 0x3c]));
  model.tensors.set("lm_head.weight", tensor("F16", [kVocabulary, kHidden]));
  return model;
}

function config() {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: kHidden,
    intermediate_size: kFeedForward,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: kVocabulary,
    max_position_embeddings: 128,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    hidden_act: "silu",
    tie_word_embeddings: false,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: "float16",
    quantization_config: {
      quant_method: "awq",
      bits: 4,
      group_size: kGroup,
      zero_point: true,
      version: "gemm",
    },
  };
}

/** SentencePiece's kind: <unk>, <s>, </s>, 256 bytes and some letters. */
function tokenizer() {
  const pieces = ["<unk>", "<s>", "</s>"];
  for (let byte = 0; byte < 256; byte++)
    pieces.push(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  pieces.push("\u2581", "a", "b", "c", "\u2581a", "ab", "bc");
  return {
    version: "1.0",
    added_tokens: [0, 1, 2].map((id) => ({
      id,
      content: pieces[id],
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "\u2581" },
        { type: "Replace", pattern: { String: " " }, content: "\u2581" },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: ["\u2581 a", "a b", "b c"],
    },
  };
}

/** The bytes of a safetensors file. `change` may alter the header before it is written. */
export function safetensors(tensors, change = () => {}) {
  const header = {};
  let position = 0;
  for (const [name, { dtype, shape, data }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [position, position + data.length] };
    position += data.length;
  }
  change(header);
  return container(JSON.stringify(header), Buffer.concat([...tensors].map(([, { data }]) => data)));
}

/** A safetensors file of any header text. */
export function container(header, data) {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

/** Writes a model; files of `model.files` replace those made from it, null removes one. */
export function writeModel(model, folder) {
  mkdirSync(folder, { recursive: true });
  const files = new Map([
    ["config.json", JSON.stringify(model.config)],
    ["tokenizer.json", JSON.stringify(model.tokenizer)],
    ["tokenizer_config.json", JSON.stringify(model.tokenizerConfig)],
  ]);
  if (!model.files.has("model.safetensors")) files.set("model.safetensors", safetensors(model.tensors));
  for (const [name, content] of model.files) files.set(name, content);
  for (const [name, content] of files) if (content !== null) writeFileSync(path.join(folder, name), content);
}

/** Splits a model into shards with an index; returns the index for changes. */
export function sharded(model, count = 2) {
  const all = [...model.tensors];
  const index = { metadata: {}, weight_map: {} };
  model.files.set("model.safetensors", null);
  for (let shard = 0; shard < count; shard++) {
    const part = all.filter((_, place) => place % count === shard);
    const name = shardName(shard, count);
    model.files.set(name, safetensors(part));
    for (const [tensorName] of part) index.weight_map[tensorName] = name;
  }
  return index;
}

export function shardName(shard, count = 2) {
  const digits = (number) => String(number).padStart(5, "0");
  return `model-${digits(shard + 1)}-of-${digits(count)}.safetensors`;
}
