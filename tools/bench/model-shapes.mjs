// The models the benchmarks run on: llama's architecture, random weights,
// real vocabularies of the pinned tree. Random weights cost exactly what
// trained ones cost; what they say does not matter here.

const drafted = {
  vocabulary: "ggml-vocab-llama-spm.gguf",
  width: 512,
  feedForward: 1408,
  heads: 8,
  keyValueHeads: 4,
  context: 8192,
  seed: 1,
};

export const shapes = {
  // The shape the bars name: 60 million parameters, half of them vocabulary.
  small: {
    file: "random-60m-q8_0.gguf",
    vocabulary: "ggml-vocab-llama-spm.gguf",
    layers: 8,
    width: 512,
    feedForward: 1408,
    heads: 8,
    keyValueHeads: 4,
    context: 8192,
    seed: 1,
  },
  // A large vocabulary: what a cold start has to read before it can begin.
  wide: {
    file: "random-128k-vocabulary-q8_0.gguf",
    vocabulary: "ggml-vocab-llama-bpe.gguf",
    layers: 8,
    width: 256,
    feedForward: 704,
    heads: 4,
    keyValueHeads: 2,
    context: 8192,
    seed: 1,
  },
  // For drafting: the layers behind the first add little to what it says, so that
  // `shallow`, its first layer, guesses most tokens right for a fraction of the price. What
  // share comes true is made; what a pass costs is not.
  deep: { ...drafted, file: "random-130m-fading-q8_0.gguf", layers: 32, fading: 0.15 },
  shallow: { ...drafted, file: "random-130m-first-layer-q8_0.gguf", layers: 1 },
  // Drafts for `small`, and is always wrong.
  stranger: {
    ...drafted,
    file: "random-8m-q8_0.gguf",
    layers: 1,
    width: 128,
    feedForward: 384,
    heads: 2,
    keyValueHeads: 1,
    seed: 2,
  },
};

// Names, shapes (row length first) and types, as llama.cpp's own converter and
// llama-quantize give them: matrices quantized, norms kept.
export function tensorList(shape, vocabularySize) {
  const { width, feedForward, layers } = shape;
  const keyValueWidth = (width / shape.heads) * shape.keyValueHeads;
  const matrix = (name, rowLength, rows) => ({
    name: `${name}.weight`,
    shape: [rowLength, rows],
    type: "Q8_0",
  });
  const norm = (name) => ({ name: `${name}.weight`, shape: [width], type: "F32" });
  const layer = (index) => {
    const named = (name) => `blk.${index}.${name}`;
    return [
      norm(named("attn_norm")),
      norm(named("ffn_norm")),
      matrix(named("attn_q"), width, width),
      matrix(named("attn_k"), width, keyValueWidth),
      matrix(named("attn_v"), width, keyValueWidth),
      matrix(named("attn_output"), width, width),
      matrix(named("ffn_gate"), width, feedForward),
      matrix(named("ffn_up"), width, feedForward),
      matrix(named("ffn_down"), feedForward, width),
    ];
  };
  return [
    matrix("token_embd", width, vocabularySize),
    matrix("output", width, vocabularySize),
    norm("output_norm"),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
  ];
}
