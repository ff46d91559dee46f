// A GGUF file of random Q4_K weights in a shape of llama's architecture, under the embedded model's
// tokenizer with filler tokens behind it: every program of a comparison reads the same file.
// Weights are written piece by piece out of one pool of random bits, so that 4.5 GB take seconds.
import { randomFillSync } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { floatEntry, readGguf, stringEntry, stringsEntry, u32Entry } from "../embedded-model/gguf.mjs";
import { paths } from "../setup/paths.mjs";

export const shapes = {
  // Llama 3 8B's.
  large: {
    layers: 32,
    width: 4096,
    feedForward: 14_336,
    heads: 32,
    kvHeads: 8,
    tokens: 128_256,
    context: 32_768,
  },
  // Of dry runs.
  small: { layers: 8, width: 512, feedForward: 1536, heads: 8, kvHeads: 4, tokens: 2048, context: 4096 },
};

const kEmbedded = fileURLToPath(new URL("../../assets/tinytale-q8_0.gguf", import.meta.url));
const kBlock = { elements: 256, bytes: 144, header: 16 };
const kPieceBlocks = 1 << 16; // 9 MB
const kPoolBytes = 2 * kPieceBlocks * kBlock.bytes;
const kScale = 52; // of each group of 32, of 63 at most
const kAlignment = 32;
const kFileType = 14; // llama.cpp's number of Q4_K_S

/** The path of the file of `name`'s shape, which is made where it is missing. */
export function ensureModelFile(name, folder = path.join(paths.state, "gpu")) {
  const file = path.join(folder, `llama-${name}-q4_k.gguf`);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  writeModel(`${file}.partial`, shapes[name]);
  renameSync(`${file}.partial`, file);
  return file;
}

function writeModel(file, shape) {
  const tensors = tensorsOf(shape);
  const pool = randomFillSync(Buffer.alloc(kPoolBytes));
  const descriptor = openSync(file, "w");
  try {
    writeWhole(descriptor, headerOf(shape, tensors));
    for (const tensor of tensors) {
      if (tensor.type === "F32") writeWhole(descriptor, padded(ones(tensor.shape[0])));
      else writeMatrix(descriptor, tensor, pool);
    }
  } finally {
    closeSync(descriptor);
  }
}

function tensorsOf({ layers, width, feedForward, heads, kvHeads, tokens }) {
  const keyWidth = (width / heads) * kvHeads;
  const matrix = (name, length, rows, gain = 1) => ({
    name: `${name}.weight`,
    shape: [length, rows],
    type: "Q4_K",
    deviation: gain / Math.sqrt(length),
  });
  const norm = (name) => ({ name: `${name}.weight`, shape: [width], type: "F32" });
  const layer = (index) => [
    norm(`blk.${index}.attn_norm`),
    matrix(`blk.${index}.attn_q`, width, width),
    matrix(`blk.${index}.attn_k`, width, keyWidth),
    matrix(`blk.${index}.attn_v`, width, keyWidth),
    matrix(`blk.${index}.attn_output`, width, width),
    norm(`blk.${index}.ffn_norm`),
    matrix(`blk.${index}.ffn_gate`, width, feedForward),
    matrix(`blk.${index}.ffn_up`, width, feedForward),
    matrix(`blk.${index}.ffn_down`, feedForward, width),
  ];
  return [
    matrix("token_embd", width, tokens, Math.sqrt(width)),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    norm("output_norm"),
    matrix("output", width, tokens, 3),
  ];
}

function headerOf(shape, tensors) {
  const entries = entriesOf(shape);
  const ids = { F32: 0, Q4_K: 12 };
  let offset = 0;
  const heads = tensors.map((tensor) => {
    const head = Buffer.concat([
      text(tensor.name),
      u32(tensor.shape.length),
      ...tensor.shape.map(u64),
      u32(ids[tensor.type]),
      u64(offset),
    ]);
    offset += aligned(bytesOf(tensor));
    return head;
  });
  const magic = Buffer.from("GGUF");
  const counts = [u32(3), u64(tensors.length), u64(entries.length)];
  return padded(Buffer.concat([magic, ...counts, ...entries.map(({ bytes }) => bytes), ...heads]));
}

function entriesOf(shape) {
  const own = readGguf(readFileSync(kEmbedded)).entries.filter(({ key }) => key.startsWith("tokenizer."));
  const texts = own.find(({ key }) => key === "tokenizer.ggml.tokens").value;
  const kinds = own.find(({ key }) => key === "tokenizer.ggml.token_type").value;
  const fillers = Array.from({ length: shape.tokens - texts.length }, (_, index) => `filler${index}`);
  const types = Int32Array.from([...kinds, ...fillers.map(() => 1)]);
  const replaced = new Set(["tokenizer.ggml.tokens", "tokenizer.ggml.token_type"]);
  const number = (key, value) => u32Entry(`llama.${key}`, value);
  return [
    stringEntry("general.architecture", "llama"),
    stringEntry("general.name", "random weights"),
    u32Entry("general.file_type", kFileType),
    u32Entry("general.quantization_version", 2),
    number("context_length", shape.context),
    number("embedding_length", shape.width),
    number("block_count", shape.layers),
    number("feed_forward_length", shape.feedForward),
    number("attention.head_count", shape.heads),
    number("attention.head_count_kv", shape.kvHeads),
    number("rope.dimension_count", shape.width / shape.heads),
    number("vocab_size", shape.tokens),
    floatEntry("llama.attention.layer_norm_rms_epsilon", 1e-5),
    floatEntry("llama.rope.freq_base", 500_000),
    ...own.filter(({ key }) => !replaced.has(key)),
    stringsEntry("tokenizer.ggml.tokens", [...texts, ...fillers]),
    {
      bytes: Buffer.concat([
        text("tokenizer.ggml.token_type"),
        u32(9),
        u32(5),
        u64(types.length),
        Buffer.from(types.buffer),
      ]),
    },
  ];
}

const u32 = (value) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const aligned = (size) => Math.ceil(size / kAlignment) * kAlignment;
const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc(aligned(bytes.length) - bytes.length)]);
const ones = (count) => Buffer.from(new Float32Array(count).fill(1).buffer);

function bytesOf({ shape, type }) {
  const elements = shape.reduce((product, length) => product * length, 1);
  return type === "F32" ? 4 * elements : (elements / kBlock.elements) * kBlock.bytes;
}

// Pieces begin at another place of the pool each; only the 16 bytes of scales are written over.
function writeMatrix(descriptor, tensor, pool) {
  const head = blockHeader(tensor.deviation);
  let left = bytesOf(tensor) / kBlock.bytes;
  for (let turn = 1; left > 0; turn += 1) {
    const count = Math.min(left, kPieceBlocks);
    const begin = (turn * 7919 * kBlock.header) % (kPoolBytes - kPieceBlocks * kBlock.bytes);
    const piece = Buffer.from(pool.subarray(begin, begin + count * kBlock.bytes));
    for (let at = 0; at < piece.length; at += kBlock.bytes) head.copy(piece, at);
    writeWhole(descriptor, piece);
    left -= count;
  }
  const size = bytesOf(tensor);
  writeWhole(descriptor, Buffer.alloc(aligned(size) - size));
}

// A block's weights are d * scale * q - dmin * scale: with dmin = 7.5 d, evenly around 0 for q
// from 0 to 15, whose deviation is 4.61. ggml packs scales of 6 bits (ggml-common.h).
function blockHeader(deviation) {
  const d = deviation / (kScale * 4.61);
  const head = Buffer.alloc(kBlock.header);
  head.writeUInt16LE(halfBits(d), 0);
  head.writeUInt16LE(halfBits(7.5 * d), 2);
  head.fill(kScale | ((kScale >> 4) << 6), 4, 12);
  head.fill((kScale & 15) | ((kScale & 15) << 4), 12, 16);
  return head;
}

// Half precision of a positive number below its largest, rounded.
function halfBits(value) {
  if (value < 2 ** -14) return Math.round(value * 2 ** 24);
  const exponent = Math.floor(Math.log2(value));
  return Math.round((value / 2 ** exponent - 1) * 1024) + ((exponent + 15) << 10);
}

function writeWhole(descriptor, bytes) {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}
