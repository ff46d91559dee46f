// Malformed quantization: entries 25 to 37 of the table, and some valid neighbours of them.
import { asFast, asGptq, gemm, gemvFast, gptq, poke16, relaid, tensor } from "./checkpoint.mjs";
import { scheme } from "./schemes.mjs";

const kUp = "model.layers.1.mlp.up_proj";
const either = ["MODEL_CORRUPT", "MODEL_FORMAT_UNSUPPORTED"];
const corrupt = ["MODEL_CORRUPT"];

/** Replaces one tensor. */
const stored = (name, made) => (model) => {
  model.tensors.set(name, made);
};
const removed = (name) => (model) => {
  model.tensors.delete(name);
};
const grouped = (group) => (model) => {
  model.config.quantization_config.group_size = group;
};

const tensorEntries = [
  { entry: "25 no scales", change: removed(`${kUp}.scales`), refused: corrupt, names: [`${kUp}`, "scales"] },
  {
    entry: "26 no qzeros though asymmetric",
    change: removed(`${kUp}.qzeros`),
    refused: either,
    names: [`${kUp}`, "qzeros"],
  },
  {
    entry: "27 qweight of F32",
    change: stored(`${kUp}.qweight`, tensor("F32", [64, 16])),
    refused: either,
    names: [`${kUp}.qweight`],
  },
  {
    entry: "27 scales of I32",
    change: stored(`${kUp}.scales`, tensor("I32", [2, 128])),
    refused: either,
    names: [`${kUp}.scales`],
  },
  {
    entry: "27 gemm with qzeros of F16",
    change: stored(`${kUp}.qzeros`, tensor("F16", [2, 16])),
    refused: either,
    names: [`${kUp}.qzeros`],
  },
  {
    entry: "27 gemv_fast with qzeros of I32",
    change: (model) => {
      relaid(model, gemvFast, asFast);
      model.tensors.set(`${kUp}.qzeros`, tensor("I32", [32, 128]));
    },
    refused: either,
    names: [`${kUp}.qzeros`],
  },
  {
    entry: "28 scales of too many groups",
    change: stored(`${kUp}.scales`, tensor("F16", [3, 128])),
    refused: either,
    names: [`${kUp}.scales`],
  },
  {
    entry: "28 zeros of too few columns",
    change: stored(`${kUp}.qzeros`, tensor("I32", [2, 15])),
    refused: either,
    names: [`${kUp}.qzeros`],
  },
  {
    entry: "28 scales of one dimension",
    change: stored(`${kUp}.scales`, tensor("F16", [256])),
    refused: either,
    names: [`${kUp}.scales`],
  },
  {
    entry: "28 words do not hold the outputs",
    change: stored(`${kUp}.qweight`, tensor("I32", [64, 17])),
    refused: either,
    names: [`${kUp}.qweight`],
  },
  {
    entry: "29 layer of other dimensions than the config's",
    change: (model) => gemm(model, kUp, 64, 64),
    refused: either,
    names: [kUp],
  },
];

const groupEntries = [
  {
    entry: "30 group that does not divide the inputs",
    change: (model) => relaid(model, gemm, { ...model.config.quantization_config, group_size: 96 }),
    refused: either,
    names: ["group"],
  },
  {
    entry: "31 groups of 16",
    change: (model) => relaid(model, gemm, { ...model.config.quantization_config, group_size: 16 }, 16),
    refused: either,
    names: ["16"],
  },
  { entry: "31 group of 0", change: grouped(0), refused: either, names: ["group_size"] },
  { entry: "31 group of -7", change: grouped(-7), refused: either, names: ["group_size"] },
  { entry: "31 group that is a text", change: grouped("all"), refused: either, names: ["group_size"] },
  {
    entry: "32 inputs that no blocks of 32 hold",
    change: (model) => {
      model.config.intermediate_size = 72;
      for (const layer of [0, 1]) {
        const at = `model.layers.${layer}.mlp`;
        gemm(model, `${at}.gate_proj`, 72, 64);
        gemm(model, `${at}.up_proj`, 72, 64);
        gemm(model, `${at}.down_proj`, 64, 72, 72);
      }
    },
    refused: either,
    names: ["down_proj"],
  },
  {
    entry: "33 whole rows say the config, two groups the scales",
    change: grouped(-1),
    refused: either,
    names: ["scales"],
  },
  {
    entry: "33 whole rows",
    change: (model) =>
      relaid(model, (all, module, rows, columns) => gemm(all, module, rows, columns, columns), {
        ...model.config.quantization_config,
        group_size: -1,
      }),
  },
];

const orderEntries = [
  { entry: "34 GPTQ, identity g_idx", change: (model) => relaid(model, gptq, asGptq) },
  {
    entry: "34 GPTQ, g_idx out of order",
    change: (model) => {
      relaid(model, gptq, asGptq);
      model.tensors.get(`${kUp}.g_idx`).data.writeInt32LE(1, 0);
    },
    refused: either,
    names: [`${kUp}.g_idx`],
  },
  {
    entry: "34 GPTQ, g_idx beyond the groups",
    change: (model) => {
      relaid(model, gptq, asGptq);
      model.tensors.get(`${kUp}.g_idx`).data.writeInt32LE(-5, 4);
    },
    refused: either,
    names: [`${kUp}.g_idx`],
  },
  { entry: "34 actorder static has the identity order", change: scheme({ actorder: "static" }) },
  {
    entry: "34 actorder group",
    change: (model) => {
      scheme({ actorder: "group" })(model);
      const order = tensor("I32", [64]);
      for (let at = 0; at < 64; at++) order.data.writeInt32LE((at * 7) % 2, at * 4);
      model.tensors.set(`${kUp}.weight_g_idx`, order);
    },
    refused: either,
    names: ["actorder|weight_g_idx"],
  },
];

const valueEntries = [
  {
    entry: "35 a scale that is NaN",
    change: (model) => poke16(model, `${kUp}.scales`, 5, 0x7e00),
    refused: corrupt,
    names: [`${kUp}.scales`],
  },
  {
    entry: "35 a scale that is infinite",
    change: (model) => poke16(model, `${kUp}.scales`, 5, 0x7c00),
    refused: corrupt,
    names: [`${kUp}.scales`],
  },
  {
    entry: "35 a negative scale beside another zero",
    change: (model) => poke16(model, `${kUp}.scales`, 5, 0xa400),
    refused: corrupt,
    names: [`${kUp}.scales`],
  },
  {
    entry: "35 a negative scale beside the middle zero, as auto-round has them",
    change: (model) => {
      model.tensors.get(`${kUp}.qzeros`).data.fill(0x88);
      poke16(model, `${kUp}.scales`, 5, 0xa400);
    },
  },
  {
    entry: "35 scale times zero beyond f16",
    change: (model) => {
      poke16(model, `${kUp}.scales`, 5, 0x7b00);
    },
    options: { checkpoint: { profile: "q4_1" } },
    refused: either,
    names: ["model.safetensors", `${kUp}.scales`],
  },
  { entry: "35 a scale of 0", change: (model) => poke16(model, `${kUp}.scales`, 5, 0) },
  { entry: "36 gemv_fast", change: (model) => relaid(model, gemvFast, asFast) },
  {
    entry: "36 gemv_fast with a zero between integers",
    change: (model) => {
      relaid(model, gemvFast, asFast);
      poke16(model, `${kUp}.qzeros`, 3, 0xaf30);
    },
    refused: corrupt,
    names: [`${kUp}.qzeros`],
  },
  {
    entry: "36 gemv_fast with a zero of 28",
    change: (model) => {
      relaid(model, gemvFast, asFast);
      poke16(model, `${kUp}.qzeros`, 3, 0xb700);
    },
    refused: corrupt,
    names: [`${kUp}.qzeros`],
  },
  ...["lossless", "q4_1", "q5_0", "q8_0"].map((profile) => ({
    entry: `37 GPTQ zeros of 16 as ${profile}`,
    change: (model) => {
      relaid(model, gptq, asGptq);
      model.tensors.get(`${kUp}.qzeros`).data.fill(0xff);
      model.config.quantization_config.sym = false;
    },
    options: { checkpoint: { profile } },
  })),
];

export const quantizationEntries = [...tensorEntries, ...groupEntries, ...orderEntries, ...valueEntries];
