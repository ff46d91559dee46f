// What the package answers, through JSON and back: nothing throws and nothing is lost.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { logProbsOf } from "../src/engine/events.js";
import {
  type Engine,
  embeddedModelPath,
  type GenerationEvent,
  InferenceError,
  inspectModel,
  loadModel,
  type Model,
  planModel,
  pullModel,
} from "../src/index.js";
import { native } from "../src/native-addon.js";
import { readGguf, writeGguf } from "../tools/embedded-model/index.mjs";
import { startHub } from "../tools/hub-emulator/index.mjs";
import { caught } from "./helpers/caught.js";
import { eventsOf, prompt } from "./helpers/embedded.js";
import { templateText } from "./helpers/templates.js";

const messages = [{ role: "user", content: "Tell me a story." }];
const tools = [{ name: "clock", description: "Tells the time" }];
let folder: string;
let file: string;
let model: Model;
let engine: Engine;
let reranker: Model;
let ranking: Engine;

function throughJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** What pullModel() answers, of a hub that is asked by HF_ENDPOINT. */
async function pulled(): Promise<unknown> {
  const hub = await startHub({ "acme/Tale-GGUF": { files: { "Tale-Q8_0.gguf": "GGUF" } } });
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  try {
    return await pullModel("hf:acme/Tale-GGUF", { cacheFolder: join(folder, "hub") });
  } finally {
    vi.unstubAllEnvs();
    await hub.close();
  }
}

/** A header's value: its key, its type's number and its bytes. */
function entry(key: string, type: number, bytes: Uint8Array) {
  const head = Buffer.alloc(8 + key.length + 4);
  head.writeBigUInt64LE(BigInt(key.length), 0);
  head.write(key, 8);
  head.writeUInt32LE(type, 8 + key.length);
  return { key, value: undefined, bytes: Buffer.concat([head, bytes]) };
}

/** The embedded model with metadata that JSON has no numbers for. */
async function writeModel(): Promise<void> {
  const { entries, tensors } = readGguf(await readFile(embeddedModelPath()));
  const bytes = (array: BigUint64Array | BigInt64Array | Float32Array) => new Uint8Array(array.buffer);
  const more = [
    entry("test.u64", 10, bytes(BigUint64Array.of(2n ** 64n - 1n))),
    entry("test.i64", 11, bytes(BigInt64Array.of(-(2n ** 63n)))),
    entry("test.small", 10, bytes(BigUint64Array.of(7n))),
    entry("test.infinite", 6, bytes(Float32Array.of(Number.NEGATIVE_INFINITY))),
  ];
  await writeFile(file, writeGguf({ entries: [...entries, ...more], tensors }));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "infernode-json-"));
  file = join(folder, "numbers.gguf");
  await writeModel();
  model = await loadModel(file, { chatTemplate: templateText("Qwen-Qwen2.5-7B-Instruct") });
  engine = await model.createEngine({ slots: 4, threads: 1 });
  reranker = await loadModel("synthetic:qwen3?dim=64&layers=2&type=f32&labels=2");
  ranking = await reranker.createEngine({ slots: 2, threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await ranking.close();
  await model.close();
  await reranker.close();
  await rm(folder, { recursive: true });
});

describe("through JSON and back", () => {
  const answers: Readonly<Record<string, () => unknown>> = {
    "a result": () => engine.generate({ prompt, maxTokens: 8, logProbs: 3 }),
    "a conversation's result": () => engine.generate({ messages, maxTokens: 8, n: 2 }),
    "a result of tools": () => engine.generate({ messages, tools, toolChoice: "required", temperature: 0 }),
    "a generation": () => throughJson(engine.generate({ prompt, maxTokens: 1 })),
    events: () => eventsOf(engine.generate({ messages, maxTokens: 8, n: 2, logProbs: 1 })),
    "counters before and after": () => engine.stats(),
    "an engine's options": () => engine.options,
    "a model": () => throughJson(model),
    "what a model is": () => model.info,
    "a model's metadata": () => model.metadata,
    tokens: () => model.tokenize("Once upon a time"),
    "a rendered conversation": () => model.renderChat(messages),
    "memory needed": () => model.memoryNeeded(),
    "a file's header": () => inspectModel(file),
    "the embedded file's header": () => inspectModel(embeddedModelPath()),
    "a ranking": () => ranking.rerank({ query: "a", documents: ["b", "c"], returnDocuments: true }),
    "a saved state": () => engine.saveState(join(folder, "state"), { prompt }),
    devices: () => native().devices(),
    "a plan": () => planModel(embeddedModelPath(), { measureCpu: false }),
    "a pulled model": () => pulled(),
  };

  it.each(Object.entries(answers))("%s is the same", async (_name, answer) => {
    const value = await answer();
    const back = throughJson(value);
    expect(back).toEqual(value);
    expect(Object.keys(back as object)).not.toEqual([]);
  });

  it("embeddings are lists of the same numbers", async () => {
    const result = await engine.embed([prompt, "The end."]);
    const back = throughJson(result) as { embeddings: number[][]; usage: object };
    expect(result.embeddings[0]).toBeInstanceOf(Float32Array);
    expect(back).toEqual({
      embeddings: result.embeddings.map((each) => Array.from(each)),
      usage: result.usage,
    });
    expect(throughJson(result.embeddings[0]?.slice(0, 3))).toEqual(back.embeddings[0]?.slice(0, 3));
    expect(back.embeddings.map((each) => Float32Array.from(each))).toEqual(
      result.embeddings.map((each) => Float32Array.from(each)),
    );
  });

  it("large and infinite numbers of metadata are text", () => {
    const expected = {
      "test.u64": "18446744073709551615",
      "test.i64": "-9223372036854775808",
      "test.small": 7,
      "test.infinite": "-Infinity",
    };
    expect(model.metadata).toMatchObject(expected);
    expect(inspectModel(file).metadata).toMatchObject(expected);
  });

  it("a log-probability of nothing is -9999", () => {
    const flat = Float64Array.of(-1, 1, 7, Number.NEGATIVE_INFINITY);
    const told = logProbsOf([5], flat);
    expect(told).toEqual([{ token: 5, logProb: -1, top: [{ token: 7, logProb: -9999 }] }]);
    expect(throughJson(told)).toEqual(told);
  });
});

describe("a seed", () => {
  it.each([
    [5, 5],
    [2 ** 53 - 1, 2 ** 53 - 1],
    [2n ** 53n, "9007199254740992"],
    [2n ** 64n - 1n, "18446744073709551615"],
    ["18446744073709551615", "18446744073709551615"],
    ["12", 12],
    [12n, 12],
  ])("%s is told as %j, which gives the same text", async (seed, told) => {
    const request = { prompt, maxTokens: 6, temperature: 2, topP: 1, n: 2 };
    const generation = engine.generate({ ...request, seed });
    expect(throughJson(generation)).toEqual({ seed: told });
    const again = engine.generate({ ...request, seed: generation.seed });
    expect((await again).choices).toEqual((await generation).choices);
  });

  it("that is random is a number, of a fork too", async () => {
    for (let round = 0; round < 20; round += 1) {
      const generation = engine.generate({ prompt, maxTokens: 1 });
      expect(generation.seed).toSatisfy(Number.isSafeInteger);
      expect(engine.fork(generation).seed).toSatisfy(Number.isSafeInteger);
      await generation;
    }
  });
});

describe("an InferenceError", () => {
  it("tells its code, sentence, status, whether to try again, and its option", async () => {
    const error = await caught(() => engine.generate({ prompt, stop: [""] }));
    expect(throughJson(error)).toEqual({
      code: "INVALID_OPTION",
      message: error.message,
      status: 400,
      retryable: false,
      path: ["stop", 0],
    });
    expect(error.message).toContain("stop[0] must be");
  });

  it("without an option has no path, and its cause stays out", () => {
    const error = new InferenceError("CANCELLED", "cancelled", { cause: 1n });
    expect(throughJson({ error })).toEqual({
      error: { code: "CANCELLED", message: "cancelled", status: 499, retryable: false },
    });
  });
});

it("events of one kind each are among those that were tried", async () => {
  const told = new Set<GenerationEvent["type"]>();
  for (const request of [
    { prompt, maxTokens: 4, n: 2 },
    { messages, tools, toolChoice: "required", temperature: 0 } as const,
  ]) {
    const events = await eventsOf(engine.generate(request));
    for (const { type } of events) told.add(type);
    expect(throughJson(events)).toEqual(events);
  }
  expect([...told].toSorted()).toEqual(["choice-end", "end", "text-delta", "tool-call-delta"]);
});
