// Malformed safetensors files: entries 1 to 14 of the table.
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import { container, safetensors, tensor } from "./checkpoint.mjs";

const kFile = "model.safetensors";
const kEmbedding = "model.embed_tokens.weight";
const broken = ["MODEL_CORRUPT", "MODEL_TRUNCATED"];

/** Replaces the weights file. */
const file = (bytes) => (model) => {
  model.files.set(kFile, bytes);
};
/** Changes the header of the weights file. */
const header = (change) => (model) => {
  model.files.set(kFile, safetensors(model.tensors, change));
};
/** Changes the bytes of the weights file. */
const bytes = (change) => (model) => {
  model.files.set(kFile, change(safetensors(model.tensors)));
};

function lengthOf(number) {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(number));
  return out;
}

/** A file of many holes: nothing of it takes disk space. */
function sparse(folder, name, head, size) {
  const handle = openSync(path.join(folder, name), "w");
  writeSync(handle, head);
  ftruncateSync(handle, size);
  closeSync(handle);
}

const names = [kFile];
const embedding = [kFile, kEmbedding];

export const safetensorsEntries = [
  { entry: "1 file of 4 bytes", change: file(Buffer.from([1, 2, 3, 4])), refused: broken, names },
  {
    entry: "1 empty file",
    change: file(Buffer.alloc(0)),
    refused: broken,
    names: [`${kFile} is empty`],
  },
  {
    entry: "2 header longer than the file",
    change: file(Buffer.concat([lengthOf(5000), Buffer.from("{}")])),
    refused: broken,
    names,
  },
  {
    entry: "2 header length of 2^63",
    change: file(Buffer.concat([lengthOf(2n ** 63n), Buffer.from("{}")])),
    refused: broken,
    names,
  },
  { entry: "2 header of no bytes", change: file(lengthOf(0)), refused: broken, names },
  {
    entry: "2 header of 200 MB",
    after: (folder) => sparse(folder, kFile, Buffer.concat([lengthOf(2e8), Buffer.from("{")]), 3e8),
    refused: broken,
    names,
  },
  {
    entry: "3 header that is no UTF-8",
    change: file(container(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), Buffer.alloc(0))),
    refused: broken,
    names,
  },
  {
    entry: "3 header that is a list",
    change: file(container("[]", Buffer.alloc(0))),
    refused: broken,
    names,
  },
  {
    entry: "3 header that is no JSON",
    change: file(container("{'a': 1}", Buffer.alloc(0))),
    refused: broken,
    names,
  },
  {
    entry: "3 a tensor twice in the header",
    change: bytes((whole) => {
      const size = Number(whole.readBigUInt64LE(0));
      const text = whole.subarray(8, 8 + size).toString();
      const first = text.slice(1, text.indexOf("},") + 2);
      return container(`{${first}${text.slice(1)}`, whole.subarray(8 + size));
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "3 header nested 5,000 deep",
    change: file(container(`{"a":${"[".repeat(5000)}${"]".repeat(5000)}}`, Buffer.alloc(0))),
    refused: broken,
    names,
  },
  {
    entry: "4 tensor without dtype",
    change: header((all) => {
      delete all[kEmbedding].dtype;
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "4 shape that is a text",
    change: header((all) => {
      all[kEmbedding].shape = "64";
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "4 tensor without data_offsets",
    change: header((all) => {
      delete all[kEmbedding].data_offsets;
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "4 tensor that is null",
    change: header((all) => {
      all[kEmbedding] = null;
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "4 extents with a fraction",
    change: header((all) => {
      all[kEmbedding].shape[0] += 0.5;
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "5 range that ends before it begins",
    change: header((all) => {
      all[kEmbedding].data_offsets.reverse();
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "6 download cut off",
    change: bytes((whole) => whole.subarray(0, whole.length - 100)),
    refused: broken,
    names,
  },
  {
    entry: "6 range of 2^60",
    change: header((all) => {
      all[kEmbedding].data_offsets[1] = 2 ** 60;
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "7 ranges that overlap",
    change: header((all) => {
      const [begin, end] = all["lm_head.weight"].data_offsets;
      all["lm_head.weight"].data_offsets = [begin - 64, end - 64];
    }),
    refused: broken,
    names,
  },
  {
    entry: "8 hole between tensors",
    change: header((all) => {
      delete all["model.norm.weight"];
    }),
    refused: broken,
    names,
  },
  {
    entry: "8 bytes after the last tensor",
    change: bytes((whole) => Buffer.concat([whole, Buffer.alloc(64)])),
    refused: broken,
    names,
  },
  {
    entry: "9 shape whose product overflows",
    change: header((all) => {
      all[kEmbedding].shape = [2 ** 33, 2 ** 33];
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "9 shape of fewer bytes than the range",
    change: header((all) => {
      all[kEmbedding].shape[0] -= 1;
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "10 negative extent",
    change: header((all) => {
      all[kEmbedding].shape = [-272, -64];
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "10 extent beyond 2^40",
    change: header((all) => {
      all[kEmbedding].shape = [2 ** 41, 0];
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "10 nine dimensions",
    change: header((all) => {
      all[kEmbedding].shape = [272, 64, 1, 1, 1, 1, 1, 1, 1];
    }),
    refused: broken,
    names: embedding,
  },
  {
    entry: "11 weights of F8_E4M3",
    change: (model) => {
      model.tensors.set(kEmbedding, tensor("F8_E4M3", [272, 64], [0x38]));
    },
    refused: ["MODEL_FORMAT_UNSUPPORTED"],
    names: ["model.safetensors", kEmbedding, "dtype F8_E4M3", "F16 or BF16 checkpoint"],
  },
  {
    entry: "11 weights of BOOL",
    change: (model) => {
      model.tensors.set(kEmbedding, tensor("BOOL", [272, 64], [1]));
    },
    refused: ["MODEL_FORMAT_UNSUPPORTED"],
    names: ["model.safetensors", kEmbedding, "dtype BOOL", "F16 or BF16 checkpoint"],
  },
  {
    entry: "12 pointer of git-lfs instead of the file",
    change: file(
      Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 4567\n`),
    ),
    refused: [...broken, "MODEL_UNREADABLE"],
    names: [kFile, "LFS"],
  },
  {
    entry: "13 tensor of no elements",
    change: (model) => {
      model.tensors.set("model.norm.weight", tensor("F16", [0]));
    },
    refused: broken,
    names: ["model.norm.weight"],
  },
  {
    entry: "14 more than a million tensors",
    change: (model) => {
      const parts = [];
      for (let each = 0; each <= 1_000_000; each++)
        parts.push(`"t${each}":{"dtype":"U8","shape":[1],"data_offsets":[${each},${each + 1}]}`);
      model.files.set(kFile, container(`{${parts.join(",")}}`, Buffer.alloc(1_000_001)));
    },
    refused: broken,
    names,
  },
];
