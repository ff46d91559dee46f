// Makes a benchmark model: the vocabulary of the pinned tree's vocabulary-only
// file, copied byte for byte, and seeded random weights written as Q8_0. The
// same shape and seed give the same bytes. Run by hand it makes the named ones:
//   node tools/bench/make-model.mjs [small] [wide]
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readGguf, tensorBytes, writeGguf } from "../embedded-model/gguf.mjs";
import { BenchFailure } from "./failure.mjs";
import { shapes, tensorList } from "./model-shapes.mjs";
import { places } from "./places.mjs";
import { randomFrom } from "./workload.mjs";

const kBlock = 32; // weights of a Q8_0 block: a half-precision scale, then 32 bytes
const kBlockBytes = 34;
const kQ8FileType = 7;
const kNormals = 1 << 16;

const types = { u32: 4, f32: 6, string: 8 };

// The model's file; made when it is not there.
export function ensureModel(name) {
  const shape = shapes[name];
  if (shape === undefined) {
    throw new BenchFailure(`There is no model "${name}"; known are ${Object.keys(shapes).join(" and ")}.`);
  }
  const file = path.join(places.models, shape.file);
  if (existsSync(file)) return file;
  const vocabulary = path.join(places.vocabularies, shape.vocabulary);
  if (!existsSync(vocabulary)) {
    throw new BenchFailure("llama.cpp's sources are not there yet; `npm run build` brings them.");
  }
  mkdirSync(places.models, { recursive: true });
  writeFileSync(`${file}.partial`, makeModel(shape, readFileSync(vocabulary)));
  renameSync(`${file}.partial`, file);
  return file;
}

// The bytes of a GGUF file of that shape (model-shapes.mjs) under the vocabulary of another.
export function makeModel(shape, vocabularyFile) {
  const tokenizer = readGguf(vocabularyFile).entries.filter(({ key }) => key.startsWith("tokenizer."));
  const tokens = tokenizer.find(({ key }) => key === "tokenizer.ggml.tokens").value.length;
  const normals = normalValues(shape.seed);
  const tensors = tensorList(shape, tokens).map((tensor, index) => {
    const random = randomFrom(shape.seed * 1000 + index);
    const gain = shape.fading !== undefined && fades(tensor.name) ? shape.fading : 1;
    const data = tensor.type === "F32" ? ones(tensor) : randomMatrix(tensor, normals, random, gain);
    return { ...tensor, data };
  });
  return writeGguf({ entries: [...headerEntries(shape, tokens), ...tokenizer], tensors });
}

function headerEntries(shape, tokens) {
  const { width, heads } = shape;
  return [
    entry("general.architecture", types.string, sized("llama")),
    entry("general.name", types.string, sized("random weights")),
    entry("general.file_type", types.u32, u32(kQ8FileType)),
    entry("general.quantization_version", types.u32, u32(2)),
    entry("llama.context_length", types.u32, u32(shape.context)),
    entry("llama.embedding_length", types.u32, u32(width)),
    entry("llama.block_count", types.u32, u32(shape.layers)),
    entry("llama.feed_forward_length", types.u32, u32(shape.feedForward)),
    entry("llama.attention.head_count", types.u32, u32(heads)),
    entry("llama.attention.head_count_kv", types.u32, u32(shape.keyValueHeads)),
    entry("llama.attention.layer_norm_rms_epsilon", types.f32, f32(1e-5)),
    entry("llama.rope.dimension_count", types.u32, u32(width / heads)),
    entry("llama.rope.freq_base", types.f32, f32(10000)),
    entry("llama.vocab_size", types.u32, u32(tokens)),
  ];
}

const u32 = (value) => Buffer.from(Uint32Array.of(value).buffer);
const f32 = (value) => Buffer.from(Float32Array.of(value).buffer);

function sized(text) {
  const length = Buffer.from(BigUint64Array.of(BigInt(Buffer.byteLength(text))).buffer);
  return Buffer.concat([length, Buffer.from(text)]);
}

const entry = (key, type, value) => ({ key, bytes: Buffer.concat([sized(key), u32(type), value]) });

function ones({ shape }) {
  return new Uint8Array(new Float32Array(shape[0]).fill(1).buffer);
}

// Values of a standard normal distribution to draw from (Box and Muller).
function normalValues(seed) {
  const random = randomFrom(seed);
  return Float32Array.from({ length: kNormals }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return radius * Math.cos(2 * Math.PI * random());
  });
}

// What a layer behind the first adds to the stream goes through two of these, so that
// neither needs scales too small for a half.
function fades(name) {
  return /^blk\.[1-9]\d*\.(attn_v|attn_output|ffn_gate|ffn_up)\./.test(name);
}

// Embeddings have a standard deviation of 1, other matrices one that keeps the
// size of what passes through them.
function randomMatrix(tensor, normals, random, gain) {
  const deviation = tensor.name.startsWith("token_embd") ? 1 : gain / Math.sqrt(tensor.shape[0]);
  const data = new Uint8Array(tensorBytes(tensor.shape, tensor.type));
  const view = new DataView(data.buffer);
  for (let at = 0; at < data.length; at += kBlockBytes) {
    const first = Math.floor(random() * (kNormals - kBlock));
    writeBlock(view, at, normals.subarray(first, first + kBlock), deviation);
  }
  return data;
}

function writeBlock(view, at, values, deviation) {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  view.setUint16(at, halfBits((largest * deviation) / 127), true);
  for (let i = 0; i < kBlock; i += 1) view.setInt8(at + 2 + i, Math.round((127 * values[i]) / largest));
}

const half = new Float32Array(1);
const halfWord = new Uint32Array(half.buffer);

// A positive number in half precision's normal range, rounded to it.
function halfBits(value) {
  half[0] = value;
  return ((halfWord[0] + 0x1000) >>> 13) - (112 << 10);
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  for (const name of names.length > 0 ? names : Object.keys(shapes)) console.log(ensureModel(name));
}
