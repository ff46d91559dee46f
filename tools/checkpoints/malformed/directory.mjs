// Malformed directories: entries 15 to 21 of the table.
import { mkdirSync, readdirSync, renameSync, symlinkSync } from "node:fs";
import path from "node:path";
import { safetensors, sharded, shardName } from "./checkpoint.mjs";

const kFile = "model.safetensors";
const kEmbedding = "model.embed_tokens.weight";
const broken = ["MODEL_CORRUPT", "MODEL_TRUNCATED"];

const kIndex = "model.safetensors.index.json";
const indexed = (change) => (model) => {
  const index = sharded(model);
  change(index, model);
  model.files.set(kIndex, JSON.stringify(index));
};

export const directoryEntries = [
  {
    entry: "15 no config.json",
    change: (model) => {
      model.files.set("config.json", null);
    },
    refused: ["MODEL_CORRUPT", "MODEL_NOT_FOUND", "MODEL_FORMAT_UNSUPPORTED"],
    names: ["config.json"],
  },
  {
    entry: "15 config.json is a list",
    change: (model) => {
      model.files.set("config.json", "[]");
    },
    refused: broken,
    names: ["config.json"],
  },
  {
    entry: "15 config.json of 17 MB",
    change: (model) => {
      model.files.set("config.json", `{"a":"${"x".repeat(17 << 20)}"}`);
    },
    refused: broken,
    names: ["config.json"],
  },
  {
    entry: "16 a shard of the index is missing",
    change: indexed((_, model) => {
      model.files.set(shardName(1), null);
    }),
    refused: [...broken, "MODEL_NOT_FOUND"],
    names: [shardName(1)],
  },
  {
    entry: "17 index with a path that leaves the directory",
    change: indexed((index) => {
      index.weight_map[kEmbedding] = "../other/model.safetensors";
    }),
    refused: broken,
    names: [kIndex],
  },
  {
    entry: "17 index with an absolute path",
    change: indexed((index) => {
      index.weight_map[kEmbedding] = "/etc/passwd";
    }),
    refused: broken,
    names: [kIndex],
  },
  {
    entry: "17 a link out of the directory",
    after: (folder) => {
      const other = path.join(folder, "..", "elsewhere.safetensors");
      renameSync(path.join(folder, kFile), other);
      symlinkSync(other, path.join(folder, kFile));
    },
    refused: [...broken, "MODEL_UNREADABLE"],
    names: [kFile],
  },
  {
    entry: "17 links to blobs, as the hub's cache has them",
    after: (folder) => {
      const repository = path.join(folder, "..", "models--some--model");
      const snapshot = path.join(repository, "snapshots", "0".repeat(40));
      mkdirSync(path.join(repository, "blobs"), { recursive: true });
      mkdirSync(snapshot, { recursive: true });
      for (const name of readdirSync(folder)) {
        renameSync(path.join(folder, name), path.join(repository, "blobs", `blob-of-${name}`));
        symlinkSync(path.join("..", "..", "blobs", `blob-of-${name}`), path.join(snapshot, name));
      }
      return snapshot;
    },
  },
  {
    entry: "18 a tensor in two shards",
    change: indexed((_, model) => {
      const name = "lm_head.weight";
      const all = [...model.tensors].filter((_each, place) => place % 2 === 1 || _each[0] === name);
      const other = [...model.tensors].filter((_each, place) => place % 2 === 0 || _each[0] === name);
      model.files.set(shardName(0), safetensors(other));
      model.files.set(shardName(1), safetensors(all));
    }),
    refused: broken,
    names: ["lm_head.weight"],
  },
  {
    entry: "19 a tensor of the index is in no shard",
    change: indexed((index) => {
      index.weight_map["model.layers.9.mlp.up_proj.qweight"] = shardName(0);
    }),
    refused: broken,
    names: ["model.layers.9.mlp.up_proj.qweight"],
  },
  {
    entry: "19 a tensor of a shard is not in the index",
    change: indexed((index) => {
      delete index.weight_map[kEmbedding];
    }),
    refused: broken,
    names: [kEmbedding],
  },
  {
    entry: "20 no index, and the second of three shards is missing",
    change: (model) => {
      sharded(model, 3);
      model.files.set(shardName(1, 3), null);
    },
    refused: [...broken, "MODEL_NOT_FOUND"],
    names: ["2 of 3|00002-of-00003"],
  },
  {
    entry: "21 weights as a pickle only",
    change: (model) => {
      model.files.set(kFile, null);
      model.files.set("pytorch_model.bin", Buffer.from("PK\u0003\u0004"));
    },
    refused: ["MODEL_FORMAT_UNSUPPORTED", "MODEL_NOT_FOUND", "MODEL_CORRUPT"],
    names: ["pickle", "safetensors"],
  },
];
