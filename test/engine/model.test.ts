// Loading: what a model tells of itself, progress, cancelling, and every way
// in which a file can be wrong.

import { getEventListeners } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedModelPath, inspectModel, loadModel, type Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

let model: Model;
let folder: string;
beforeAll(async () => {
  model = await loadEmbedded();
  folder = mkdtempSync(join(tmpdir(), "infernode-model-"));
});
afterAll(async () => {
  await model.close();
  rmSync(folder, { recursive: true });
});

describe("a loaded model", () => {
  it("has its file's metadata and says what it is", () => {
    expect(model.metadata["general.architecture"]).toBe("llama");
    expect(model.info).toMatchObject({ architecture: "llama", contextLength: 1024 });
    expect(model.metadata["tokenizer.ggml.tokens"]).toEqual({ arrayLength: model.info.vocabularySize });
    expect(Object.isFrozen(model.metadata)).toBe(true);
  });

  it("turns text into tokens and back", () => {
    const text = "The cat sat on the mat. Ünïcode, 日本語 and 🎈 too!";
    const tokens = model.tokenize(text);
    expect(model.detokenize(tokens)).toBe(text);
    expect(tokens[0]).toBe(model.info.bosToken);
    expect(model.tokenize(text, { addSpecial: false })).toEqual(tokens.slice(1));
  });

  it("reads special tokens in a text only when asked to", () => {
    const bare = { addSpecial: false };
    const text = model.detokenize([model.info.eosToken], { special: true });
    expect(text.length).toBeGreaterThan(1);
    expect(model.tokenize(text, { ...bare, parseSpecial: true })).toEqual([model.info.eosToken]);
    expect(model.tokenize(text, bare).length).toBeGreaterThan(1);
    expect(model.detokenize([model.info.eosToken])).toBe("");
  });

  it("refuses a token outside its vocabulary by place and value", async () => {
    const size = model.info.vocabularySize;
    const error = await caught(() => model.detokenize([1, size]));
    expect(error.message).toBe(
      `detokenize(): tokens[1] must be a token id from 0 to ${size - 1}, got ${size}`,
    );
  });

  it("says how much memory an engine needs, more for more slots", () => {
    const small = model.memoryNeeded({ slots: 1 });
    const large = model.memoryNeeded({ slots: 16 });
    expect(large.kvBytes).toBe(16 * small.kvBytes);
    expect(small.weightBytes).toBeGreaterThan(0);
  });

  it("refuses a context longer than it was trained for with both numbers", async () => {
    const error = await caught(() => model.createEngine({ contextLength: 2048 }));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toMatch(/1024.*2048/);
  });

  it("makes engines that report the options they chose", async () => {
    await withEngine(model, { slots: 3 }, async (engine) => {
      expect(engine.options).toMatchObject({ slots: 3, contextLength: 1024 });
      expect(engine.options.threads).toBeGreaterThan(0);
    });
  });
});

describe("loading", () => {
  it("takes a file: URL and reports progress up to 1", async () => {
    const fractions: number[] = [];
    const url = pathToFileURL(embeddedModelPath());
    const loaded = await loadModel(url, { onProgress: (fraction) => fractions.push(fraction) });
    await loaded.close();
    expect(fractions).toEqual([...fractions].sort((left, right) => left - right));
    expect(fractions.at(-1)).toBe(1);
    expect(fractions.length).toBeLessThanOrEqual(60);
  });

  it("is cancelled by its signal, with the reason, and keeps no listener", async () => {
    const controller = new AbortController();
    const reason = new Error("changed my mind");
    const { signal } = controller;
    const loading = caught(() =>
      loadModel(embeddedModelPath(), { signal, onProgress: () => controller.abort(reason) }),
    );
    expect(await loading).toMatchObject({ code: "CANCELLED", cause: reason });
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    expect(await caught(() => loadModel("missing.gguf", { signal }))).toMatchObject({ code: "CANCELLED" });
  });

  it("rejects with what onProgress throws", async () => {
    const broken = new Error("the progress bar broke");
    const loading = loadModel(embeddedModelPath(), {
      onProgress: () => {
        throw broken;
      },
    });
    await expect(loading).rejects.toBe(broken);
  });

  it("may be closed twice, and by await using", async () => {
    const own = await loadEmbedded();
    await own.close();
    await own.close();
    await own[Symbol.asyncDispose]();
  });
});

/** The embedded model's bytes, changed. */
function changed(name: string, change: (bytes: Buffer) => Buffer | undefined): string {
  const bytes = readFileSync(embeddedModelPath());
  const path = join(folder, name);
  writeFileSync(path, change(bytes) ?? bytes);
  return path;
}

/** Every occurrence of a name replaced by one of the same length. */
function renamed(bytes: Buffer, from: string, to: string): undefined {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at)) bytes.write(to, at);
}

const badFiles: readonly (readonly [string, string, () => string])[] = [
  ["a missing file", "MODEL_NOT_FOUND", () => join(folder, "missing.gguf")],
  ["a directory without a model", "MODEL_NOT_FOUND", () => mkdtempSync(join(folder, "empty-"))],
  ["an empty file", "MODEL_TRUNCATED", () => changed("empty.gguf", () => Buffer.alloc(0))],
  ["a text file", "MODEL_NOT_GGUF", () => changed("text.gguf", () => Buffer.from("not a model at all"))],
  [
    "a future version",
    "MODEL_VERSION_UNSUPPORTED",
    () => changed("version.gguf", (bytes) => void bytes.writeUInt32LE(99, 4)),
  ],
  [
    "a file cut within its tensors",
    "MODEL_TRUNCATED",
    () => changed("cut.gguf", (bytes) => bytes.subarray(0, -4096)),
  ],
  [
    "a file cut within its header",
    "MODEL_TRUNCATED",
    () => changed("head.gguf", (bytes) => bytes.subarray(0, 200)),
  ],
  [
    "a header that counts more tensors than a file can hold",
    "MODEL_CORRUPT",
    () => changed("count.gguf", (bytes) => void bytes.writeBigUInt64LE(2n ** 60n, 8)),
  ],
  [
    "an unknown architecture",
    "MODEL_ARCHITECTURE_UNSUPPORTED",
    () => changed("architecture.gguf", (bytes) => renamed(bytes, "llama", "zzzzz")),
  ],
];

describe("a bad file", () => {
  it.each(badFiles)("%s is %s", async (_name, code, make) => {
    const path = make();
    const error = await caught(() => loadModel(path));
    expect(error.code).toBe(code);
    expect(error.message.length).toBeGreaterThan(20);
  });

  it.each(badFiles.slice(0, -1))("%s is %s to inspectModel() too", async (_name, code, make) => {
    const path = make();
    expect((await caught(() => inspectModel(path))).code).toBe(code);
  });
});

describe("inspectModel", () => {
  it("reads metadata and tensors without loading weights", () => {
    const file = inspectModel(embeddedModelPath());
    expect(file.metadata["general.architecture"]).toBe("llama");
    expect(file.tensors.find((tensor) => tensor.name === "token_embd.weight")).toMatchObject({
      type: "q8_0",
    });
    expect(file.fileBytes).toBe(readFileSync(embeddedModelPath()).length);
    expect(file.version).toBe(3);
  });
});
