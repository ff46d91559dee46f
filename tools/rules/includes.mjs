// Who may include whom in native/. napi -> model -> checkpoint -> core, never back; the core
// knows the standard library only; llama.cpp is known to llama_* files alone.

// The spine of the core, lowest first. Each may include those below it; the
// other core files are leaves, which know the types and each other.
export const kSpine = [
  "types",
  "backend",
  "kv_store",
  "stream_store",
  "pool_store",
  "draft_sequences",
  "draft_model",
  "token_order",
  "grammar_automaton",
  "grammar_cache",
  "constraint",
  "request",
  "drafting",
  "token_chooser",
  "publisher",
  "sequence_table",
  "ledger",
  "prefix_reuse",
  "checkpoints",
  "kv_cache",
  "scheduler",
  "planner",
  "stream_planner",
  "pool_planner",
  "planners",
  "pass",
  "pass_runner",
  "admission",
  "seating",
  "endings",
  "pass_failures",
  "pass_outputs",
  "prompt_scorer",
  "passes",
  "publication",
  "engine_config",
  "engine",
];

const standardHeader = /^[a-z_]+$/; // <vector>, <condition_variable>
const intrinsics = new Set(["immintrin.h"]);
const llamaHeader = /^(?:\.\.\/src\/)?(?:llama(?:-cpp|-ext)?|gguf|ggml[\w-]*)\.h$/;
const nodeHeader = /^(?:napi|napi-inl|node_api|js_native_api)\.h$/;

// Tests and benchmarks that compare with llama.cpp itself are named for it.
// The limited device is a backend library of its own, for tests (0047).
const knowsLlama =
  /^native\/model\/llama_|^test\/native\/(?:llama_\w+|\w+_bench)\.|^test\/native\/limited_device\//;

const layers = { core: 0, checkpoint: 1, model: 2, napi: 3 };
// The GGUF format's own files, which know no model.
const ggufFormat = /^gguf_\w+$/;

// Pairs of line and sentence for one file's #include lines.
export function includeFindings(file, text) {
  const place = /^native\/(core|checkpoint|model|napi)\/(?:\w+\/)?(\w+)\.\w+$/.exec(file);
  if (!place && !file.startsWith("test/native/")) return [];
  const findings = [];
  for (const [index, line] of text.split("\n").entries()) {
    const found = /^\s*#\s*include\s*([<"])([^>"]+)[>"]/.exec(line);
    if (!found) continue;
    const sentence = judge(file, place, found[2], found[1] === "<");
    if (sentence) findings.push([index + 1, sentence]);
  }
  return findings;
}

function judge(file, place, header, angled) {
  const [, folder, noun] = place ?? [null, "test", ""];
  if (nodeHeader.test(header) && folder !== "napi") return `includes ${header} outside native/napi`;
  if (llamaHeader.test(header) && !knowsLlama.test(file)) {
    return `includes ${header} outside native/model/llama_*`;
  }
  if (!place) return null;
  if (angled) return judgeAngled(folder, noun, header);
  const [, from, target] = /^(?:(core|checkpoint|model|napi)\/(?:\w+\/)?)?([\w-]+)\.h$/.exec(header) ?? [];
  if (!target || nodeHeader.test(header) || llamaHeader.test(header)) return null;
  const owner = from ?? folder;
  if (owner === "model" && folder === "checkpoint" && ggufFormat.test(target)) return null;
  if (layers[owner] > layers[folder]) return `includes ${header}: ${folder} never sees ${owner}`;
  return owner === "core" && folder === "core" ? judgeSpine(noun, target) : null;
}

function judgeAngled(folder, noun, header) {
  if (folder !== "core" || standardHeader.test(header)) return null;
  if (intrinsics.has(header) && noun.startsWith("sampler_")) return null;
  return `includes <${header}>: the core includes the standard library only`;
}

function judgeSpine(noun, target) {
  // engine_<chapter>.cpp are chapters of the engine.
  const chapter = noun.startsWith("engine_") && !kSpine.includes(noun);
  const own = kSpine.indexOf(chapter ? "engine" : noun);
  const other = kSpine.indexOf(target);
  if (noun === target || kSpine[own] === target || other === -1 || other === 0) return null;
  if (own === -1) return `includes ${target}.h: a leaf of the core knows the types only`;
  return own > other ? null : `includes ${target}.h, which stands above it`;
}
