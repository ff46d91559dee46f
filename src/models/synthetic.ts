// `synthetic:` references: models of random weights in any shape, made while
// they are loaded, for tests and benchmarks. Judges the reference and fills in
// what it leaves open; the addon makes the model under the embedded model's
// tokenizer.
import { z } from "zod";
import { integer, judge } from "../engine/judge.js";
import { show } from "../engine/shown.js";
import { InferenceError } from "../errors.js";
import type { NativeSyntheticShape } from "../native.js";
import { embeddedModelPath } from "./embedded.js";

const scheme = "synthetic:";
/** Tokens of the embedded model's tokenizer, the least a synthetic model has. */
const ownTokens = 1280;
const mostLayers = 512;
const mostWidth = 65_536;
const mostTokens = 2 ** 19;
const defaultLayers = 4;
const defaultWidth = 256;
const headWidth = 64;
const feedForwardFactor = 3;
/** Elements that share a scale; f32 and f16 have none. */
const blockElements = 32;

const types = ["f32", "f16", "q8_0", "q4_0", "q4_1"] as const;

const everyone = {
  layers: integer(1, mostLayers).default(defaultLayers),
  dim: integer(32, mostWidth).default(defaultWidth),
  vocab: integer(ownTokens, mostTokens).default(ownTokens),
  type: z.enum(types, `one of ${types.join(", ")}`).default("q8_0"),
  seed: integer(0, Number.MAX_SAFE_INTEGER).default(1),
  context: integer(16, 2 ** 20).default(4096),
};
const attention = { heads: integer(1, 1024).optional(), kvHeads: integer(1, 1024).optional() };
const feedForward = { feedForward: integer(32, 4 * mostWidth).optional() };
const transformer = { ...everyone, ...attention, ...feedForward };
const recurrence = { state: integer(1, 256).default(16) };
// Kinds of layers alternate: one of each at least.
const mixed = { layers: integer(2, mostLayers).default(defaultLayers) };

const schemas: Readonly<Partial<Record<string, z.ZodObject>>> = {
  __proto__: null as never,
  llama: z.strictObject(transformer),
  qwen2: z.strictObject(transformer),
  qwen3: z.strictObject({ ...transformer, labels: integer(2, 256).optional() }),
  gemma3: z.strictObject({ ...transformer, ...mixed, window: integer(1, 2 ** 20).default(256) }),
  qwen3moe: z.strictObject({
    ...transformer,
    experts: integer(1, 256).default(8),
    expertsUsed: integer(1, 256).default(2),
  }),
  mamba: z.strictObject({ ...everyone, ...recurrence }),
  jamba: z.strictObject({ ...transformer, ...mixed, ...recurrence }),
};

type Common = z.output<z.ZodObject<typeof everyone>>;
type Special =
  | "labels"
  | "heads"
  | "kvHeads"
  | "feedForward"
  | "window"
  | "experts"
  | "expertsUsed"
  | "state";
/** What any of the schemas gives. */
type Judged = Common & { readonly [name in Special]?: number | undefined };

/** Whether a model's path is a reference to a synthetic one. */
export function isSyntheticReference(path: unknown): path is string | URL {
  return path instanceof URL ? path.protocol === scheme : typeof path === "string" && path.startsWith(scheme);
}

/**
 * The shape a reference asks for: `synthetic:llama?layers=8&dim=512&vocab=32000&type=q8_0&seed=1`.
 * @param call the public function's name, opens the sentence: "loadModel()"
 * @throws InferenceError INVALID_OPTION
 */
export function judgeSynthetic(call: string, reference: string | URL): NativeSyntheticShape {
  const text = String(reference).slice(scheme.length);
  const mark = text.indexOf("?");
  const architecture = mark < 0 ? text : text.slice(0, mark);
  const schema = schemas[architecture];
  if (schema === undefined) {
    const known = Object.keys(schemas).join(", ");
    return refuse(
      call,
      `a synthetic model's architecture must be one of ${known}, got ${show(architecture)}`,
    );
  }
  const given = readOptions(call, mark < 0 ? "" : text.slice(mark + 1));
  const judged = judge(call, schema, given) as Judged;
  const heads = judged.heads ?? defaultHeads(judged.dim);
  const shape = {
    tokenizer: embeddedModelPath(),
    architecture,
    type: judged.type,
    seed: judged.seed,
    layers: judged.layers,
    width: judged.dim,
    feedForward: judged.feedForward ?? feedForwardFactor * judged.dim,
    heads,
    kvHeads: judged.kvHeads ?? (heads % 2 === 0 ? heads / 2 : heads),
    vocabulary: judged.vocab,
    contextLength: judged.context,
    window: judged.window ?? 0,
    experts: judged.experts ?? 0,
    expertsUsed: judged.expertsUsed ?? 0,
    state: judged.state ?? 0,
    labels: judged.labels ?? 0,
  };
  judgeTogether(call, shape);
  return shape;
}

/** Whole numbers become numbers; whatever else was written is judged as text. */
function readOptions(call: string, query: string): Record<string, string | number> {
  const options = new Map<string, string | number>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (options.has(name)) refuse(call, `a synthetic model's ${name} must be given once`);
    options.set(name, /^\d{1,16}$/.test(value) ? Number(value) : value);
  }
  return Object.fromEntries(options);
}

/** About one for each 64 numbers, as many as divide the width into even parts. */
function defaultHeads(width: number): number {
  let heads = Math.max(1, Math.floor(width / headWidth));
  while (heads > 1 && width % (2 * heads) !== 0) heads -= 1;
  return heads;
}

/** What options must be beside each other. */
function judgeTogether(call: string, shape: NativeSyntheticShape): void {
  const { width, heads, kvHeads, type, experts, expertsUsed } = shape;
  if (shape.architecture !== "mamba") {
    if (width % (2 * heads) !== 0) {
      refuse(call, `dim must be a multiple of twice the heads (${heads}), got ${width}`);
    }
    if (heads % kvHeads !== 0) refuse(call, `kvHeads must divide the heads (${heads}), got ${kvHeads}`);
  }
  if (expertsUsed > experts) {
    refuse(call, `expertsUsed must be at most experts (${experts}), got ${expertsUsed}`);
  }
  if (type === "f32" || type === "f16") return;
  for (const [name, length] of [
    ["dim", width],
    ["feedForward", shape.feedForward],
  ] as const) {
    if (length % blockElements !== 0) {
      refuse(call, `${name} must be a multiple of ${blockElements} for type ${type}, got ${length}`);
    }
  }
}

function refuse(call: string, sentence: string): never {
  throw new InferenceError("INVALID_OPTION", `${call}: ${sentence}`);
}
