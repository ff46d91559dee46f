// LoRA adapters as GGUF files, made of repeatable random differences to two matrices of the
// embedded model, whole or damaged in one place.
import { readGguf, type Tensor, writeGguf } from "../../tools/embedded-model/index.mjs";
import { seededRandom } from "./embedded.js";

/** Columns of an adapter's matrices. */
export const rank = 4;
/** An adapter adds alpha / rank times the product of its matrices. */
export const alpha = 8;
/** The matrices that an adapter changes. */
export const targets = ["blk.0.attn_q.weight", "blk.1.ffn_down.weight"];

export function floats(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function random(size: number, seed: number, spread: number): Float32Array {
  const next = seededRandom(seed);
  return Float32Array.from({ length: size }, () => (next() * 2 - 1) * spread);
}

function matrix(base: Uint8Array, name: string): Tensor {
  const found = readGguf(base).tensors.find((tensor) => tensor.name === name);
  if (found === undefined) throw new Error(`the model has no ${name}`);
  return found;
}

/** The two matrices that make a target's difference. */
export interface Pair {
  readonly a: Float32Array;
  readonly b: Float32Array;
  /** Of the target: inputs, outputs. */
  readonly shape: readonly number[];
}

/** ggml's order: a is [inputs, rank], b is [rank, outputs]. */
export function pair(base: Uint8Array, name: string, index: number): Pair {
  const { shape } = matrix(base, name);
  const [inputs = 0, outputs = 0] = shape;
  return { a: random(inputs * rank, index + 1, 0.3), b: random(rank * outputs, index + 50, 0.3), shape };
}

function text(key: string, value: string): Buffer {
  const sized = (part: string) => {
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(Buffer.byteLength(part)));
    return Buffer.concat([size, Buffer.from(part)]);
  };
  return Buffer.concat([sized(key), Buffer.from(Uint32Array.of(8).buffer), sized(value)]);
}

function float(key: string, value: number): Buffer {
  const head = text(key, "").subarray(0, -12);
  return Buffer.concat([
    head,
    Buffer.from(Uint32Array.of(6).buffer),
    Buffer.from(Float32Array.of(value).buffer),
  ]);
}

/** What of an adapter differs from a whole one for the embedded model. */
export interface Changes {
  readonly architecture?: string;
  readonly type?: string;
  readonly without?: string;
  readonly names?: readonly string[];
}

/** An adapter's file for the model whose file is `base`. */
export function adapterFile(
  base: Uint8Array,
  { architecture = "llama", type = "adapter", without = "", names = targets }: Changes = {},
): Buffer {
  const entries = [
    { key: "general.architecture", value: architecture, bytes: text("general.architecture", architecture) },
    { key: "general.type", value: type, bytes: text("general.type", type) },
    { key: "adapter.type", value: "lora", bytes: text("adapter.type", "lora") },
    { key: "adapter.lora.alpha", value: alpha, bytes: float("adapter.lora.alpha", alpha) },
  ].filter((entry) => entry.key !== without);
  const tensors = names.flatMap((name, index): Tensor[] => {
    const { a, b, shape } = pair(base, targets[index] ?? "", index);
    return [
      { name: `${name}.lora_a`, shape: [shape[0] ?? 0, rank], type: "F32", data: floats(a) },
      { name: `${name}.lora_b`, shape: [rank, shape[1] ?? 0], type: "F32", data: floats(b) },
    ].filter((tensor) => tensor.name !== without) as Tensor[];
  });
  return writeGguf({ entries, tensors });
}
