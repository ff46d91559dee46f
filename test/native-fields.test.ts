// The names and values that cross between JavaScript and C++ are the same on both sides: what the
// addon reads of an object is what its interface in src/native*.ts declares, and so is what it
// sets. The names of the counters are compared in engine/stats.test.ts.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { NativeAddon, NativeEngineRequest, NativeModelOptions, NativeRequest } from "../src/native.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = (path: string) => readFileSync(`${root}/${path}`, "utf8");
const uncommented = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
const sorted = (names: Iterable<string>) => [...new Set(names)].toSorted();

const declarations = readdirSync(`${root}/src`)
  .filter((name) => /^native.*\.ts$/.test(name))
  .map((name) => uncommented(source(`src/${name}`)))
  .join("\n");

/** The text from the bracket at `from` to the one that closes it. */
function bracketed(text: string, from: number): string {
  let depth = 0;
  for (let place = from; place < text.length; place += 1) {
    if ("{(".includes(text[place] as string)) depth += 1;
    if ("})".includes(text[place] as string)) depth -= 1;
    if (depth === 0) return text.slice(from, place + 1);
  }
  throw new Error(`no bracket closes the one at ${from}`);
}

/** The properties of an interface, with those of the object types inside it; not its methods. */
function declared(name: string): string[] {
  const found = new RegExp(`interface ${name}(?: extends ([^{]*))? \\{`).exec(declarations);
  if (found === null) throw new Error(`src/native*.ts declares no interface ${name}`);
  const body = bracketed(declarations, found.index + found[0].length - 1);
  const own = Array.from(body.matchAll(/readonly (\w+)\??:/g), ([, property]) => property as string);
  const picked = Array.from((found[1] ?? "").matchAll(/"(\w+)"/g), ([, property]) => property as string);
  if (picked.length > 0) return [...own, ...picked];
  const parents = (found[1] ?? "").split(",").map((parent) => parent.trim());
  return [...own, ...parents.filter((parent) => parent !== "").flatMap(declared)];
}

/** The strings of a union type, of an alias or of an interface's property. */
function union(place: RegExp): string[] {
  const found = place.exec(declarations);
  if (found === null) throw new Error(`src/native*.ts has nothing like ${place}`);
  return Array.from((found[1] as string).matchAll(/"([^"]+)"/g), ([, value]) => value as string);
}

/** The properties of the object that a method returns, or of those in the array that it does. */
function returned(method: string): string[] {
  const found = new RegExp(`\\b${method}\\(`).exec(declarations);
  if (found === null) throw new Error(`src/native*.ts declares no method ${method}`);
  const parameters = bracketed(declarations, found.index + found[0].length - 1);
  const open = declarations.indexOf("{", found.index + found[0].length - 1 + parameters.length);
  const object = bracketed(declarations, open);
  return Array.from(object.matchAll(/readonly (\w+)\??:/g), ([, property]) => property as string);
}

/** The body of a C++ function, of the class that `after` opens. */
function body(file: string, opening: string, after = ""): string {
  const text = uncommented(source(`native/${file}`));
  const from = text.indexOf(opening, text.indexOf(after));
  expect(from, `${file}: ${opening}`).toBeGreaterThanOrEqual(0);
  return bracketed(text, text.indexOf("{", text.indexOf(")", from)));
}

const reads = (text: string) =>
  Array.from(text.matchAll(/(?:\bGet\(|_field\(\w+, |_value\(\w+, )"(\w+)"/g), ([, name]) => name as string);
const sets = (text: string) => Array.from(text.matchAll(/\b[sS]et\("(\w+)"/g), ([, name]) => name as string);
const strings = (text: string) => Array.from(text.matchAll(/"([^"]+)"/g), ([, value]) => value as string);

describe("what the addon reads is what TypeScript passes", () => {
  const convert = "napi/convert.cpp";
  const plan = "napi/plan.cpp";
  it.each<[what: string, read: readonly string[], passed: readonly string[]]>([
    [
      "an engine's options",
      [
        ...reads(body(convert, "EngineOptions engine_options_from(")),
        ...reads(body("napi/model_wrap.cpp", "ModelWrap::draft_of(")),
      ],
      declared("NativeEngineRequest"),
    ],
    [
      "a request",
      reads(uncommented(source("native/napi/prompt_convert.cpp"))),
      [...declared("NativeRequest"), ...declared("NativePromptForm")],
    ],
    [
      "a saved state",
      reads(body("napi/state_workers.cpp", "Napi::Promise import_state(")),
      [...declared("NativeState"), "cacheSalt", "loras"],
    ],
    ["a synthetic model", reads(body(convert, "synthetic_from(")), declared("NativeSyntheticShape")],
    [
      "a model",
      reads(body("napi/model_wrap.cpp", "Napi::Value ModelWrap::load(")),
      declared("NativeModelOptions"),
    ],
    [
      "a placement",
      reads(body("napi/placement.cpp", "Placement placement_from(")),
      declared("NativePlacement"),
    ],
    [
      "a checkpoint",
      reads(body("napi/checkpoint_convert.cpp", "checkpoint_from(")),
      [...declared("NativePacking"), ...declared("NativeOutlineOptions")],
    ],
    [
      "a measurement of memory",
      [
        ...reads(body(plan, "Napi::Value measure_memory_async(")),
        ...reads(body(plan, "shapes_from(")),
      ].filter((name) => name !== "promise"),
      declared("NativeMeasure"),
    ],
    [
      "a measurement of a device",
      reads(body(plan, "Napi::Value probe_matrices_async(")).filter((name) => name !== "promise"),
      declared("NativeMatrixProbe"),
    ],
  ])("%s", (_what, read, passed) => {
    expect(read.length).toBeGreaterThan(1);
    expect(sorted(read)).toEqual(sorted(passed));
  });
});

describe("what the addon sets is what TypeScript reads", () => {
  const convert = "napi/convert.cpp";
  const devices = "napi/devices.cpp";
  it.each<[what: string, set: readonly string[], read: readonly string[]]>([
    [
      "an engine's options",
      sets(body(convert, "Napi::Object engine_options_to(")),
      [...declared("NativeEngineOptions"), "kvLayout"],
    ],
    ["a model", sets(body(convert, "Napi::Object info_to(")), declared("NativeModelInfo")],
    ["a tensor", sets(body(convert, "Napi::Array tensors_to(")), declared("NativeTensorInfo")],
    [
      "an end",
      sets(body(convert, "Napi::Object end_to(")),
      [...declared("NativeEnd"), ...declared("NativeFailure")],
    ],
    ["a state", sets(body("napi/state_workers.cpp", "Napi::Value state_to(")), declared("NativeState")],
    ["a prompt", sets(body("napi/event_channel.cpp", "Napi::Array prompts_to(")), declared("NativePrompt")],
    [
      "a report of a checkpoint",
      sets(body("napi/checkpoint_convert.cpp", "Napi::Value checkpoint_to(")),
      [...declared("CheckpointReport"), ...declared("CheckpointTensor")],
    ],
    [
      "a model's devices",
      sets(body("napi/placement.cpp", "Napi::Array model_devices_to(")),
      declared("ModelDevice"),
    ],
    [
      "a device's memory",
      sets(body("napi/model_wrap.cpp", "Napi::Array device_memory_to(")),
      declared("NativeDeviceMemory"),
    ],
    [
      "the memory of an engine",
      sets(body("napi/model_wrap.cpp", "Napi::Value ModelWrap::memory_needed(")),
      returned("memoryNeeded"),
    ],
    [
      "the memory of a plan",
      sets(body("napi/plan.cpp", "result(", "class MeasureWorker")),
      returned("measure"),
    ],
    [
      "the GPUs' power",
      sets(body("napi/plan.cpp", "result(", "class PowerWorker")),
      declared("NativeGpuPower"),
    ],
    [
      "the build",
      Array.from(
        body("napi/addon.cpp", "Napi::Object init(").matchAll(/\bbuild\.Set\("(\w+)"/g),
        ([, name]) => name as string,
      ),
      declared("NativeBuild"),
    ],
    ["a device", sets(body(devices, "Napi::Value devices(")), declared("NativeDevice")],
    ["a backend", sets(body(devices, "Napi::Value backends(")), declared("NativeBackend")],
    ["NVIDIA's driver", sets(body(devices, "Napi::Value nvidia_driver_of(")), declared("NativeNvidiaDriver")],
    ["the host", sets(body(devices, "Napi::Value host(")), declared("NativeHost")],
    ["a header", sets(body("napi/inspect.cpp", "header_to(")), declared("NativeHeader")],
  ])("%s", (_what, set, read) => {
    expect(set.length).toBeGreaterThan(1);
    expect(sorted(set)).toEqual(sorted(read));
  });
});

describe("the values of both sides are the same:", () => {
  it("error codes, those of TypeScript's own work apart", () => {
    const native = strings(body("core/types.cpp", "error_name("));
    const listed = source("native/core/types.h");
    const enumerated = bracketed(listed, listed.indexOf("{", listed.indexOf("enum class ErrorCode")));
    expect(sorted(native).length).toBe(Array.from(enumerated.matchAll(/\bk\w+/g)).length);
    const typescript = [
      ...["CHAT_TEMPLATE_FAILED", "CHAT_TEMPLATE_MISSING", "DEVICE_UNAVAILABLE", "DOWNLOAD_FAILED"],
      ...["MODEL_ACCESS_DENIED", "NATIVE_MISSING", "OUTPUT_INVALID", "STATE_INVALID", "STATE_LOST"],
      "STATE_UNREADABLE",
    ];
    const registry = Array.from(source("src/errors.ts").matchAll(/^ {2}([A-Z_]+): \{ status/gm));
    expect(sorted([...native, ...typescript])).toEqual(sorted(registry.map(([, code]) => code as string)));
    expect(native.filter((code) => typescript.includes(code))).toEqual([]);
  });

  it.each<[what: string, native: readonly string[], typescript: readonly string[]]>([
    [
      "finish reasons",
      strings(body("core/types.cpp", "finish_reason_name(")),
      union(/readonly reason: ("[^;]*);/),
    ],
    [
      "cache kinds",
      strings(body("model/cache_kind.cpp", "cache_kind_name(")),
      union(/type CacheKind = ([^;]*);/),
    ],
    ["KV types", strings(listOf("napi/convert.cpp", "kKvTypeNames")), union(/type KvType = ([^;]*);/)],
    ["split modes", strings(listOf("napi/placement.cpp", "kSplitModes")), union(/type SplitMode = ([^;]*);/)],
    [
      "kinds of devices",
      strings(body("napi/devices.cpp", "device_type_name(")),
      union(/readonly type: ("cpu"[^;]*);/),
    ],
    [
      "outcomes of a restored state",
      strings(body("napi/state_workers.cpp", "name_of(")),
      union(/Promise<("kept"[^>]*)>/),
    ],
  ])("%s", (_what, native, typescript) => {
    expect(native.length).toBeGreaterThan(1);
    expect(sorted(native)).toEqual(sorted(typescript));
  });
});

/** The text of a constant list in C++. */
function listOf(file: string, name: string): string {
  const text = uncommented(source(`native/${file}`));
  const from = text.indexOf(` ${name} =`);
  expect(from, `${file}: ${name}`).toBeGreaterThanOrEqual(0);
  return text.slice(from, text.indexOf(";", from));
}

describe("a value that the addon does not know is refused, by its field's name:", () => {
  const addon = createRequire(import.meta.url)(`${root}/build/Release/infernode.node`) as NativeAddon;
  const placement = {
    ...{ devices: [], gpuLayers: 0, splitMode: "layer" as const, tensorSplit: [] },
    ...{ mainGpu: 0, gpuMemoryUtilization: 0.9 },
  };
  const model = {
    ...{ path: `${root}/assets/tinytale-q8_0.gguf`, synthetic: null, checkpoint: null, placement },
    ...{ memoryMap: true, onProgress: null },
  };
  const checkpoint = { profile: "auto", plainType: null, preTokenizer: null, threads: 1 };
  const engine = {
    ...{ slots: 1, contextLength: 64, prefillChunk: 64, kvCells: 0, threads: 1, samplerThreads: 1 },
    ...{ queueLimit: 4, interTokenLatencyMs: 100, kvType: "f16" as const, kvOffload: true, draft: null },
    ...{ flashAttention: true, promptCache: true, hostCacheBytes: 0, deterministic: false, draftTokens: 0 },
    ...{ speculation: false, loras: [] },
  };
  const refusal = (field: string) => ({
    name: "TypeError",
    code: "INVALID_OPTION",
    message: expect.stringMatching(new RegExp(`^${field}: .*"unknown"`)) as string,
  });
  const thrownBy = (work: () => unknown): unknown => {
    try {
      work();
    } catch (thrown) {
      return thrown;
    }
    return undefined;
  };
  const load = (changed: object) =>
    thrownBy(() => addon.loadModel({ ...model, ...changed } as NativeModelOptions));

  it("of a model", () => {
    addon.start([], []);
    expect(load({ placement: { ...placement, splitMode: "unknown" } })).toMatchObject(refusal("splitMode"));
    expect(load({ checkpoint: { ...checkpoint, profile: "unknown" } })).toMatchObject(refusal("profile"));
    expect(load({ checkpoint: { ...checkpoint, plainType: "unknown" } })).toMatchObject(refusal("plainType"));
  });

  it("of an engine and of a request", async () => {
    addon.start([], []);
    const loaded = await addon.loadModel(model).promise;
    const wrong = { ...engine, kvType: "unknown" } as unknown as NativeEngineRequest;
    expect(thrownBy(() => loaded.createEngine(wrong, () => {}))).toMatchObject(refusal("kvType"));
    const made = await loaded.createEngine(engine, () => {});
    const request = {
      ...{ prompt: "a", addSpecial: true, parseSpecial: false, maxTokens: 1, minTokens: 0, ignoreEos: false },
      ...{ cache: true, cacheSalt: "", loras: null, grammar: "", grammarPrefix: "", triggers: [] },
      ...{ thinkingStart: "", thinkingEnds: [], thinking: false, visible: [], embeds: false, ranks: false },
      ...{ saves: false, parallelSamples: false, stop: [], stopTokens: [], temperature: 0, topK: 0, topP: 1 },
      ...{ minP: 0, repeatPenalty: 1, frequencyPenalty: 0, presencePenalty: 0, penaltyWindow: -1 },
      ...{ typicalP: 1, topNSigma: 0, xtcProbability: 0, xtcThreshold: 0.1, dynatempRange: 0 },
      ...{ dynatempExponent: 1, mirostat: 1, mirostatTau: 5, mirostatEta: 0.1, dryMultiplier: 0 },
      ...{ dryBase: 1.75, dryAllowedLength: 2, dryWindow: -1, drySequenceBreakers: [], logProbs: -1 },
      ...{ promptLogProbs: -1, promptTokens: false, includeStop: false, showSpecial: false },
      ...{ allowedTokens: [], badWords: [], truncatePrompt: 0, seed: 1n, logitBias: new Float64Array() },
    } as unknown as NativeRequest;
    expect(thrownBy(() => made.submit(1, request))).toMatchObject({
      message: expect.stringMatching(/^mirostat: .*"1"/) as string,
    });
    expect(made.stats().waiting).toBe(0);
    await made.close();
    loaded.close();
  });
});
