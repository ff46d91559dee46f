// The model files that documents speak of, made from the embedded model: one whose template
// tells of tools, one for embeddings, a reranker, a draft model and a LoRA adapter. Their
// files are what such models' files are; their answers mean nothing.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import {
  floatEntry,
  readGguf,
  stringEntry,
  stringsEntry,
  u32Entry,
  writeGguf,
} from "../embedded-model/gguf.mjs";
import { embeddedModel } from "../embedded-model/variants.mjs";

const kPooling = { last: 3, rank: 4 }; // llama.h, enum llama_pooling_type
const kContext = 8192; // tokens: documents speak of larger models than the embedded one
const kHead = 64; // width of one of the model's attention heads
const kAdapterRank = 4;

// As templates of the Hermes family tell of tools and calls.
const kChatTemplate = `{%- if tools %}{{- '<|system|>Tools: ' }}
{%- for tool in tools %}{{- tool | tojson }}{%- endfor %}{{- '<|end|>' }}{%- endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}{{- '<|user|><tool_response>' + message.content + '</tool_response><|end|>' }}
{%- else %}{{- '<|' + message.role + '|>' + (message.content or '') }}
{%- for call in message.tool_calls or [] %}{{- '<tool_call>\\n' }}
{{- {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}
{{- '\\n</tool_call>' }}{%- endfor %}{{- '<|end|>' }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}`;

const kRankTemplate =
  "<|system|>Does the document meet the query?<|end|><|user|>Query: {query}\n" +
  "Document: {document}<|end|><|assistant|>";

/** Each file's name and how its bytes come out of the embedded model's parts. */
const kFiles = {
  "my-model.gguf": withTools,
  "my-embedding-model.gguf": forEmbeddings,
  "my-reranker.gguf": reranker,
  "my-draft-model.gguf": writeGguf,
  "my-adapter.gguf": adapter,
};

/** Writes the files that the folder lacks. Returns their paths. */
export function modelFiles(folder) {
  mkdirSync(folder, { recursive: true });
  return Object.entries(kFiles).map(([name, make]) => {
    const file = path.join(folder, name);
    if (!existsSync(file)) {
      const unfinished = `${file}.${process.pid}`;
      writeFileSync(unfinished, make(source()));
      renameSync(unfinished, file);
    }
    return file;
  });
}

function source() {
  const { entries, tensors } = readGguf(readFileSync(embeddedModel));
  const key = "llama.context_length";
  return {
    entries: entries.map((entry) => (entry.key === key ? u32Entry(key, kContext) : entry)),
    tensors,
  };
}

function withTools({ entries, tensors }) {
  const key = "tokenizer.chat_template";
  return writeGguf({
    entries: entries.map((entry) => (entry.key === key ? stringEntry(key, kChatTemplate) : entry)),
    tensors,
  });
}

function forEmbeddings({ entries, tensors }) {
  return writeGguf({ entries: [...entries, u32Entry("llama.pooling_type", kPooling.last)], tensors });
}

// Scores are taken from the last token of Qwen3's architecture, which has norms that
// Llama's lacks and is like it else.
function reranker({ entries, tensors }) {
  const renamed = entries.map((entry) => {
    const text = Buffer.from(entry.bytes).toString("latin1");
    if (entry.key === "general.architecture") return stringEntry(entry.key, "qwen3");
    if (!entry.key.startsWith("llama.")) return entry;
    return { ...entry, bytes: Buffer.from(text.replace("llama.", "qwen3."), "latin1") };
  });
  const norms = tensors
    .filter(({ name }) => name.endsWith("attn_norm.weight"))
    .flatMap(({ name }) => ["attn_q_norm", "attn_k_norm"].map((norm) => name.replace("attn_norm", norm)));
  const width = tensors[0].shape[0];
  return writeGguf({
    entries: [
      ...renamed,
      u32Entry("qwen3.pooling_type", kPooling.rank),
      stringsEntry("qwen3.classifier.output_labels", ["yes", "no"]),
      stringEntry("tokenizer.chat_template.rerank", kRankTemplate),
    ],
    tensors: [
      ...tensors,
      ...norms.map((name) => floats(name, [kHead], () => 1)),
      floats("cls.output.weight", [width, 2], (place) => Math.sin(place) / 50),
    ],
  });
}

function adapter({ tensors }) {
  const target = tensors.find(({ name }) => name === "blk.0.attn_q.weight");
  const [inputs, outputs] = target.shape;
  return writeGguf({
    entries: [
      stringEntry("general.architecture", "llama"),
      stringEntry("general.type", "adapter"),
      stringEntry("adapter.type", "lora"),
      floatEntry("adapter.lora.alpha", kAdapterRank),
    ],
    tensors: [
      floats(`${target.name}.lora_a`, [inputs, kAdapterRank], (place) => Math.sin(place) / 10),
      floats(`${target.name}.lora_b`, [kAdapterRank, outputs], (place) => Math.cos(place) / 10),
    ],
  });
}

function floats(name, shape, valueAt) {
  const size = shape.reduce((product, side) => product * side, 1);
  const values = Float32Array.from({ length: size }, (_, place) => valueAt(place));
  return { name, shape, type: "F32", data: new Uint8Array(values.buffer) };
}
