// What one pass of a model costs, read from its tensors: bytes of weights read, and weights
// multiplied per token. Mixture-of-experts models read and multiply a part of their weights.
// Pure: tensors and metadata in, numbers out.
import type { Metadata } from "../../engine/metadata.js";
import type { NativeTensorInfo } from "../../native-checkpoint.js";

/** Matrices of one number type, added up. */
export interface MatrixGroup {
  /** ggml's type name, such as "q4_K". */
  readonly type: string;
  /** Inputs of the largest matrix. */
  readonly columns: number;
  /** Weights that one generated token multiplies. */
  readonly activeWeights: number;
  /**
   * Weights that each token of a prompt multiplies: all but the output matrix, which the last
   * token alone needs.
   */
  readonly promptWeights: number;
  /** Bytes of one weight, on average. */
  readonly bytes: number;
}

/** What a pass costs. */
export interface ModelCost {
  /** Weights of all tensors. */
  readonly parameters: number;
  /** Weights that one token multiplies, of all types. */
  readonly activeWeights: number;
  /** Bytes of all tensors. */
  readonly weightBytes: number;
  readonly matrices: readonly MatrixGroup[];
  readonly layers: number;
  /** Numbers of one position of all query heads, for the cost of attention. */
  readonly attentionWidth: number;
  /** Query heads for each head of keys and values, which are read once for all of them. */
  readonly queriesPerKey: number;
  /** Bytes of weights that one pass reads, with one token of each of `sequences`. */
  readBytes(sequences: number): number;
}

type Group = { -readonly [Name in keyof Omit<MatrixGroup, "type">]: number };

/** Looked up by rows, never multiplied whole. */
const lookedUp = /^(?:per_layer_token_embd|position_embd|token_types|rope_\w+)\./;
const expertWeights = /_exps\.weight$/;
const embeddings = "token_embd.weight";
const output = "output.weight";

/** @returns what a pass of the model costs that has these tensors and this metadata */
export function costOf(tensors: readonly NativeTensorInfo[], metadata: Metadata): ModelCost {
  const number = numbersOf(metadata);
  const experts = number("expert_count", 0);
  const usedExperts = experts > 0 ? Math.min(experts, number("expert_used_count", experts)) : 0;
  const share = experts > 0 ? usedExperts / experts : 1;
  const tied = !tensors.some(({ name }) => name === output);
  const outputName = tied ? embeddings : output;
  const groups = new Map<string, Group>();
  let always = 0;
  let expertBytes = 0;
  for (const { name, type, shape, bytes } of tensors) {
    if (lookedUp.test(name) || (name === embeddings && !tied)) continue;
    const isExpert = expertWeights.test(name);
    if (isExpert) expertBytes += bytes;
    else always += bytes;
    if (shape.length < 2) continue;
    const [columns = 0] = shape;
    const group = groups.get(type) ?? { columns: 0, activeWeights: 0, promptWeights: 0, bytes: 0 };
    group.bytes = bytes / product(shape); // one type's are alike
    group.columns = Math.max(group.columns, columns);
    const active = product(shape) * (isExpert ? share : 1);
    group.activeWeights += active;
    if (name !== outputName) group.promptWeights += active;
    groups.set(type, group);
  }
  const matrices = [...groups].map(([type, group]) => ({ type, ...group }));
  const heads = number("attention.head_count", 0);
  const keyHeads = number("attention.head_count_kv", heads);
  return {
    parameters: sum(tensors.map(({ shape }) => product(shape))),
    activeWeights: sum(matrices.map(({ activeWeights }) => activeWeights)),
    weightBytes: sum(tensors.map(({ bytes }) => bytes)),
    matrices,
    layers: number("block_count", 0),
    attentionWidth:
      heads * number("attention.key_length", number("embedding_length", 0) / Math.max(1, heads)),
    queriesPerKey: keyHeads > 0 ? Math.max(1, Math.round(heads / keyHeads)) : 1,
    // Experts that at least one sequence uses, where each chooses at random.
    readBytes: (sequences) => always + expertBytes * (1 - (1 - share) ** sequences),
  };
}

/** A hyperparameter of the model's architecture; the first layer's where layers differ. */
function numbersOf(metadata: Metadata): (name: string, fallback: number) => number {
  const architecture = String(metadata["general.architecture"] ?? "");
  return (name, fallback) => {
    const value = metadata[`${architecture}.${name}`];
    const first = Array.isArray(value) ? value[0] : value;
    return typeof first === "number" ? first : fallback;
  };
}

function product(shape: readonly number[]): number {
  return shape.reduce((all, length) => all * length, 1);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0);
}
