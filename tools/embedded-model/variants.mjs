// Makes the test variants of the embedded model from the committed Q8_0 file:
// every matrix becomes F32, F16, Q4_0 or Q4_K (the embedding too); the norms
// stay F32 as llama.cpp wants them. Needs nothing but Node; the same bytes in
// give the same bytes out.
//
//   node tools/embedded-model/variants.mjs --out FOLDER [--types f32,f16,q4_0,q4_k]

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { packF16, packF32, packQ4, packQ4K, unpackQ8 } from "./blocks.mjs";
import { readGguf, u32Entry, writeGguf } from "./gguf.mjs";

export const embeddedModel = fileURLToPath(new URL("../../assets/tinytale-q8_0.gguf", import.meta.url));

/** A variant's tensor type, its packing and its number in general.file_type. */
export const variants = {
  f32: { type: "F32", pack: packF32, fileType: 0 },
  f16: { type: "F16", pack: packF16, fileType: 1 },
  q4_0: { type: "Q4_0", pack: packQ4, fileType: 2 },
  q4_k: { type: "Q4_K", pack: packQ4K, fileType: 14 },
};

/** @typedef {keyof typeof variants} Variant */

/**
 * @param {Uint8Array} source the Q8_0 file's bytes
 * @param {Variant} variant
 * @returns {Buffer} the variant's file
 */
export function makeVariant(source, variant) {
  const { type, pack, fileType } = variants[variant];
  const { entries, tensors } = readGguf(source);
  return writeGguf({
    entries: entries.map((entry) =>
      entry.key === "general.file_type" ? u32Entry(entry.key, fileType) : entry,
    ),
    tensors: tensors.map((tensor) =>
      tensor.type !== "Q8_0"
        ? tensor
        : {
            ...tensor,
            type: /** @type {import('./gguf.mjs').TensorType} */ (type),
            data: pack(unpackQ8(tensor.data)),
          },
    ),
  });
}

/**
 * The same weights under another context length; the text gets worse with the
 * distance from the trained one, the work per token does not change.
 * @param {Uint8Array} source a variant's bytes
 * @param {number} tokens
 * @returns {Buffer} the file
 */
export function withContext(source, tokens) {
  const { entries, tensors } = readGguf(source);
  const key = "llama.context_length";
  return writeGguf({
    entries: entries.map((entry) => (entry.key === key ? u32Entry(key, tokens) : entry)),
    tensors,
  });
}

/** @param {string} folder @param {string[]} wanted */
function writeVariants(folder, wanted) {
  const source = readFileSync(embeddedModel);
  mkdirSync(folder, { recursive: true });
  for (const variant of wanted) {
    if (!(variant in variants)) {
      throw new Error(`--types takes ${Object.keys(variants).join(", ")}; it got "${variant}"`);
    }
    const path = join(folder, `tinytale-${variant}.gguf`);
    // Whole or not at all: a process that has the file mapped must not see it shrink.
    const unfinished = `${path}.${process.pid}`;
    writeFileSync(unfinished, makeVariant(source, /** @type {Variant} */ (variant)));
    renameSync(unfinished, path);
    process.stdout.write(`${path}\n`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({ options: { out: { type: "string" }, types: { type: "string" } } });
  if (!values.out) throw new Error("usage: variants.mjs --out FOLDER [--types f32,f16,q4_0,q4_k]");
  writeVariants(values.out, (values.types ?? Object.keys(variants).join(",")).split(","));
}
