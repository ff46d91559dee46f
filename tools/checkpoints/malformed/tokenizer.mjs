// Malformed tokenizers: entries 56 to 61 of the table.
import { closeSync, ftruncateSync, openSync } from "node:fs";
import path from "node:path";

const kFile = "tokenizer.json";
const corrupt = ["MODEL_CORRUPT", "MODEL_TRUNCATED"];
const either = ["MODEL_CORRUPT", "MODEL_FORMAT_UNSUPPORTED"];
const absent = [...either, "MODEL_NOT_FOUND"];

/** Changes tokenizer.json's model. */
const change = (alter) => (model) => {
  alter(model.tokenizer.model, model.tokenizer, model);
};

const text = (content) => (model) => {
  model.files.set(kFile, content);
};

const fileEntries = [
  { entry: "56 no tokenizer.json", change: text(null), refused: absent, names: [kFile] },
  { entry: "56 tokenizer.json is no JSON", change: text("{"), refused: corrupt, names: [kFile] },
  { entry: "56 tokenizer.json is a list", change: text("[]"), refused: corrupt, names: [kFile] },
  {
    entry: "56 tokenizer.json of 300 MB",
    after: (folder) => {
      const handle = openSync(path.join(folder, kFile), "w");
      ftruncateSync(handle, 300e6);
      closeSync(handle);
    },
    refused: corrupt,
    names: [kFile],
  },
  {
    entry: "57 Unigram",
    change: change((_, tokenizer) => {
      tokenizer.model = { type: "Unigram", unk_id: 0, vocab: [["<unk>", 0]] };
    }),
    refused: ["MODEL_FORMAT_UNSUPPORTED"],
    names: [kFile, "Unigram"],
  },
  {
    entry: "57 WordPiece",
    change: change((_, tokenizer) => {
      tokenizer.model = { type: "WordPiece", unk_token: "[UNK]", vocab: { "[UNK]": 0 } };
    }),
    refused: ["MODEL_FORMAT_UNSUPPORTED"],
    names: [kFile, "WordPiece"],
  },
  {
    entry: "57 a pre-tokenizer nobody knows",
    change: change((bpe, tokenizer) => {
      bpe.byte_fallback = false;
      tokenizer.normalizer = null;
      tokenizer.pre_tokenizer = {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { Regex: "[aeiou]+|." }, behavior: "Isolated", invert: false },
          { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
        ],
      };
    }),
    refused: ["MODEL_FORMAT_UNSUPPORTED"],
    names: [kFile, "preTokenizer|pre-tokenizer|pre_tokenizer"],
  },
];

const vocabularyEntries = [
  {
    entry: "58 an id twice",
    change: change((bpe) => Object.assign(bpe.vocab, { bc: 1 })),
    refused: corrupt,
    names: [kFile],
  },
  {
    entry: "58 a negative id",
    change: change((bpe) => Object.assign(bpe.vocab, { bc: -1 })),
    refused: corrupt,
    names: [kFile],
  },
  {
    entry: "58 an id that is a text",
    change: change((bpe) => Object.assign(bpe.vocab, { bc: "7" })),
    refused: corrupt,
    names: [kFile],
  },
  {
    entry: "58 an id of 2^40",
    change: change((bpe) => Object.assign(bpe.vocab, { bc: 2 ** 40 })),
    refused: corrupt,
    names: [kFile],
  },
  {
    entry: "58 an id beyond the embeddings, ids before it belong to nothing",
    change: change((bpe) => Object.assign(bpe.vocab, { bc: 300 })),
    refused: corrupt,
    names: [kFile],
  },
  {
    entry: "58 ids within the embeddings that belong to nothing",
    change: change((bpe) => Object.assign(bpe.vocab, { bc: 270 })),
  },
  {
    entry: "58 an added token with another token's text",
    change: change((_, tokenizer) => {
      tokenizer.added_tokens.push({ ...tokenizer.added_tokens[0], id: 267, content: "ab" });
    }),
    refused: corrupt,
    names: [kFile],
  },
  {
    entry: "58 a vocabulary that is a text",
    change: change((bpe) => Object.assign(bpe, { vocab: "abc" })),
    refused: corrupt,
    names: [kFile],
  },
  {
    entry: "58 no vocabulary",
    change: change((bpe) => Object.assign(bpe, { vocab: {} })),
    refused: corrupt,
    names: [kFile],
  },
  {
    entry: "59 a merge of three parts",
    change: change((bpe) => bpe.merges.push("a b c")),
    refused: corrupt,
    names: [kFile, "merge"],
  },
  {
    entry: "59 a merge of one part",
    change: change((bpe) => bpe.merges.push("ab")),
    refused: corrupt,
    names: [kFile, "merge"],
  },
  {
    entry: "59 a merge of a list of three",
    change: change((bpe) => bpe.merges.push(["a", "b", "c"])),
    refused: corrupt,
    names: [kFile, "merge"],
  },
  {
    entry: "59 a merge of pieces nobody has",
    change: change((bpe) => bpe.merges.push("x y")),
    refused: corrupt,
    names: [kFile, "merge"],
  },
  {
    entry: "60 an end-of-text id out of range",
    change: (model) => {
      model.config.eos_token_id = 99_999;
    },
    refused: corrupt,
    names: ["eos_token_id|eos"],
  },
  {
    entry: "60 a chat template of 2 MB",
    change: (model) => {
      model.tokenizerConfig.chat_template = "x".repeat(2 << 20);
    },
    refused: corrupt,
    names: ["template"],
  },
  {
    entry: "61 a byte is no token",
    change: change((bpe) => delete bpe.vocab["<0x41>"]),
    refused: corrupt,
    names: [kFile, "<0x41>"],
  },
];

export const tokenizerEntries = [...fileEntries, ...vocabularyEntries];
