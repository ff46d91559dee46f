// The cache of converted checkpoints through loadModel(): the first load writes the file, later
// ones map it, and a change of anything that decides its bytes makes another. Where nothing can
// be written the model loads all the same.
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inspectModel, loadModel, type ModelOptions, setLogListener } from "../../src/index.js";
import { convertedFiles } from "../../src/models/converted-files.js";
import { runFixture } from "../helpers/programs.js";

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/checkpoints/${name}`, import.meta.url));

let folder: string;
let cache: string;
let source: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "infernode-converted-"));
  cache = join(folder, "cache");
  source = join(folder, "tale");
  cpSync(fixture("autoawq-gemm-llama"), source, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

type Checkpoint = NonNullable<ModelOptions["checkpoint"]>;

/** Loads, generates greedily, and tells what was loaded. */
async function load(path = source, checkpoint: Checkpoint = {}, options: ModelOptions = {}) {
  const model = await loadModel(path, { checkpoint: { cache, ...checkpoint }, ...options });
  const engine = await model.createEngine({ slots: 1 });
  const request = { prompt: "Once upon", temperature: 0, maxTokens: 8, ignoreEos: true };
  const { text } = await engine.generate(request);
  await engine.close();
  await model.close();
  return { text, path: model.path, metadata: model.metadata, ...model.info.checkpoint };
}

const names = () => convertedFiles(cache).map(({ path }) => path);

describe("a checkpoint", () => {
  it("is written at the first load and mapped at the second, with the same text and report", async () => {
    const phases: string[] = [];
    const fractions: number[] = [];
    const first = await load(
      source,
      {},
      {
        onProgress: (fraction, { phase }) => {
          if (phases.at(-1) !== phase) phases.push(phase);
          fractions.push(fraction);
        },
      },
    );
    expect(phases).toEqual(["convert", "load"]);
    expect(fractions).toEqual([...fractions].sort((one, other) => one - other));
    expect(fractions.at(-1)).toBe(1);
    expect(names()).toEqual([first.file]);
    const written = readFileSync(names()[0] ?? "");
    const second = await load();
    expect(second).toEqual(first);
    expect(second.path).toBe(source);
    expect(readFileSync(names()[0] ?? "")).toEqual(written);
    const virtual = await load(source, { cache: false });
    expect(virtual).toMatchObject({ text: first.text, notes: first.notes, file: null });
    expect(virtual.tensors?.map(({ name, type, worstError }) => [name, type, worstError])).toEqual(
      first.tensors?.map(({ name, type, worstError }) => [name, type, worstError]),
    );
    expect(names()).toHaveLength(1);
  });

  it.each<[string, () => Checkpoint | undefined]>([
    ["another profile", () => ({ profile: "q8_0" })],
    ["another type of plain weights", () => ({ quantize: "f32" })],
    [
      "another chat template",
      () => void writeFileSync(join(source, "chat_template.jinja"), "{{ messages }}"),
    ],
    ["a changed config.json", () => void changeJson("config.json", { max_position_embeddings: 128 })],
    ["touched weights", () => touch()],
  ])("gets another file by %s", async (_, change) => {
    const first = await load();
    const second = await load(source, change() ?? {});
    expect(second.file).not.toBe(first.file);
    expect(names()).toHaveLength(2);
  });

  it.each<[string, (path: string) => void]>([
    ["cut off", (path) => writeFileSync(path, readFileSync(path).subarray(0, 5000))],
    ["of another key", (path) => writeFileSync(path, otherKey(readFileSync(path)))],
    ["without its record", (path) => rmSync(`${path}.json`)],
    ["with a damaged record", (path) => writeFileSync(`${path}.json`, "{")],
    ["with other weights of the same size", (path) => later(path, flipped(readFileSync(path)))],
  ])("whose file is %s is written again", async (_, damage) => {
    const first = await load();
    const [path = ""] = names();
    const written = readFileSync(path);
    damage(path);
    expect(await load()).toMatchObject({ text: first.text, file: path });
    expect(readFileSync(path)).toEqual(written);
  });

  it("whose file has another time and the same content is used, and its digest computed once", async () => {
    const { file } = await load();
    const path = file ?? "";
    const { ino } = statSync(path);
    later(path, readFileSync(path));
    const copied = statSync(path).mtimeMs;
    expect(recorded(path).writtenMs).toBeLessThan(copied);
    expect((await load()).file).toBe(path);
    expect([statSync(path).ino, recorded(path).writtenMs]).toEqual([ino, copied]);
    // What is recorded now is the time alone: a digest of nothing would not be equal.
    writeFileSync(`${path}.json`, JSON.stringify({ ...recorded(path), sha256: "0".repeat(64) }));
    await load();
    expect(statSync(path).ino).toBe(ino);
  });

  it("whose file was changed is told of in the log, once", async () => {
    const { file } = await load();
    const path = file ?? "";
    const lines: string[] = [];
    setLogListener(({ level, text }) => lines.push(`${level}: ${text}`));
    try {
      later(path, flipped(readFileSync(path)));
      await load();
      await load();
    } finally {
      setLogListener(null);
    }
    expect(lines.filter((line) => line.includes("was changed"))).toEqual([
      `warn: ${path} was changed since it was written, and is not used`,
    ]);
  });

  it("whose pre-tokenizer llama.cpp has only nearly says so at each load, by its name", async () => {
    const letters = String.raw`\p{Lm}\p{Lo}\p{M}]`;
    const word = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}${letters}`;
    const Regex = [
      String.raw`${word}*[\p{Ll}${letters}+|${word}+[\p{Ll}${letters}*|\p{N}`,
      String.raw` ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    ].join("|");
    const split = { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false };
    const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
    changeJson("tokenizer.json", {
      pre_tokenizer: { type: "Sequence", pretokenizers: [split, bytes] },
    });
    const lines: string[] = [];
    setLogListener(({ level, text }) => lines.push(`${level}: ${text}`));
    try {
      for (const options of [{}, {}, { cache: false }]) {
        const { notes } = await load(source, options);
        expect(notes).toEqual([expect.stringMatching(/^tokenizer\.json: .* the nearest, tekken, /)]);
      }
    } finally {
      setLogListener(null);
    }
    const warned = lines.filter((line) =>
      line.startsWith(`warn: ${source}: tokenizer.json: llama.cpp has no`),
    );
    expect(warned).toHaveLength(3);
  });

  it("counts as used when it is loaded, by its record's time", async () => {
    const { file } = await load();
    const path = file ?? "";
    utimesSync(`${path}.json`, 1000, 1000);
    const written = statSync(path).mtimeMs;
    const before = Date.now() - 1000;
    await load();
    expect(convertedFiles(cache)[0]?.usedMs).toBeGreaterThan(before);
    expect(statSync(path).mtimeMs).toBe(written);
  });

  it("is written by two processes at once, to the same bytes", async () => {
    const both = [1, 2].map(() =>
      runFixture("load-checkpoints.mjs", {
        input: `${JSON.stringify({ folder: source, options: { checkpoint: { cache } } })}\n`,
      }),
    );
    for (const { code, stdout } of await Promise.all(both)) {
      expect(code).toBe(0);
      expect(stdout).not.toContain("message");
    }
    expect(readdirSync(cache)).toHaveLength(2);
    const before = readFileSync(names()[0] ?? "");
    await load();
    expect(readFileSync(names()[0] ?? "")).toEqual(before);
  });
});

describe("where nothing can be written", () => {
  it("the model loads, and the log says why", async () => {
    const lines: string[] = [];
    setLogListener(({ text }) => lines.push(text));
    try {
      mkdirSync(cache);
      writeFileSync(join(cache, "file"), "");
      const { file, text } = await load(source, { cache: join(cache, "file") });
      expect(file).toBeNull();
      expect(text).not.toBe("");
      expect(lines.join("\n")).toContain(`${source} is loaded without a file in the cache`);
    } finally {
      setLogListener(null);
    }
  });
});

describe("a plain checkpoint of a type of llama.cpp's quantizer", { timeout: 60_000 }, () => {
  beforeEach(plainSource);

  it("is written to the cache once, mapped from then on, and told of", async () => {
    const lines: string[] = [];
    setLogListener(({ text }) => lines.push(text));
    try {
      const first = await load(source, { quantize: "q4_0" });
      expect(readdirSync(cache).sort()).toEqual([
        basename(first.file ?? ""),
        `${basename(first.file ?? "")}.json`,
      ]);
      expect(new Set(first.tensors?.map(({ type }) => type))).toEqual(new Set(["q4_0", "q8_0", "f32"]));
      // The quantizer writes them in an order of its own.
      const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
      expect(first.tensors?.toSorted(byName)).toEqual(
        inspectModel(first.file ?? "")
          .tensors.toSorted(byName)
          .map(({ name, type, bytes }) => expect.objectContaining({ name, type, bytes })),
      );
      expect(await load(source, { quantize: "q4_0" })).toEqual(first);
      expect(lines.join("\n")).toMatch(
        /tale \(f16\): .*f16 to q4_0: \d+ tensors, 4\.50 bits per weight, rounded/,
      );
    } finally {
      setLogListener(null);
    }
  });
});

describe("types of llama.cpp's quantizer", { timeout: 60_000 }, () => {
  beforeEach(plainSource);

  it("are refused where no file may be written", async () => {
    await expect(load(source, { quantize: "q4_k_m", cache: false })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(
        /checkpoint\.quantize "q4_k_m" is made by llama\.cpp's quantizer.*`infernode convert .*tale --quantize q4_k_m --out model\.gguf`/,
      ),
    });
    mkdirSync(cache);
    writeFileSync(join(cache, "file"), "");
    await expect(load(source, { quantize: "q4_k_m", cache: join(cache, "file") })).rejects.toMatchObject({
      code: "FILE_NOT_WRITABLE",
    });
  });

  it("are refused for weights that are quantized already, and leave nothing", async () => {
    await expect(load(fixture("autoawq-gemm-llama"), { quantize: "q4_k_m" })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("quantized"),
    });
    expect(readdirSync(cache)).toEqual([]);
  });

  it("leave neither file when they are cancelled", async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    await expect(
      load(source, { quantize: "q5_k_m" }, { signal: controller.signal, onProgress }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
    expect(readdirSync(cache)).toEqual([]);
  });
});

describe("on a full disk", () => {
  it("a checkpoint loads all the same and the log says why; a quantizer's type is refused", async ({
    skip,
  }) => {
    mkdirSync(cache);
    if (!mounted(cache, "64k")) skip("needs root and tmpfs: a small file system could not be mounted");
    const lines: string[] = [];
    setLogListener(({ level, text }) => lines.push(`${level}: ${text}`));
    try {
      const { file, text } = await load();
      expect([file, text]).toEqual([null, expect.stringMatching(/./)]);
      expect(lines.find((line) => line.includes("is loaded without a file"))).toMatch(
        /^warn: .*(?:full|free|space)/,
      );
      const plain = fixture("llama-f16");
      await expect(load(plain, { quantize: "q4_0" })).rejects.toMatchObject({
        code: "DISK_FULL",
        message: expect.stringContaining(cache),
      });
      expect(readdirSync(cache)).toEqual([]);
    } finally {
      setLogListener(null);
      execFileSync("umount", [cache]);
    }
  });
});

function plainSource(): void {
  rmSync(source, { recursive: true });
  cpSync(fixture("llama-f16"), source, { recursive: true });
}

function mounted(path: string, size: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("a directory that is not there", () => {
  it("is the loader's matter", async () => {
    await expect(load(join(folder, "none"))).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
  });
});

describe("a load that fails", () => {
  it("leaves nothing in the cache", async () => {
    changeJson("config.json", { num_hidden_layers: 3 });
    await expect(load()).rejects.toMatchObject({ code: expect.stringMatching(/^MODEL_/) });
    expect(readdirSync(cache)).toEqual([]);
  });

  it("by a signal neither", async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    await expect(load(source, {}, { signal: controller.signal, onProgress })).rejects.toMatchObject({
      code: "CANCELLED",
    });
    expect(names().length).toBe(readdirSync(cache).length / 2);
  });

  it.each([[1], [""], ["a\0b"]])("cache: %j is refused", async (value) => {
    await expect(load(source, { cache: value as string })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("checkpoint.cache must be"),
    });
  });
});

const weights = () => join(source, readdirSync(source).find((name) => name.endsWith(".safetensors")) ?? "");

function touch(): undefined {
  writeFileSync(weights(), readFileSync(weights()));
}

function changeJson(name: string, values: Record<string, unknown>): void {
  const path = join(source, name);
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...values }));
}

/** Writes a file as somebody does long after the checkpoint was converted. */
function later(path: string, bytes: Buffer): void {
  const time = statSync(path).mtimeMs / 1000 + 60;
  writeFileSync(path, bytes);
  utimesSync(path, time, time);
}

/** With one bit of the weights, which lie last, changed. */
function flipped(bytes: Buffer): Buffer {
  const place = bytes.length - 1000;
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  return bytes;
}

function recorded(path: string) {
  return JSON.parse(readFileSync(`${path}.json`, "utf8")) as { readonly writtenMs: number };
}

/** The same file with another key in its header. */
function otherKey(bytes: Buffer): Buffer {
  const key = "infernode.checkpoint.key";
  const place = bytes.indexOf(key) + key.length + 12;
  bytes[place] = bytes[place] === 0x30 ? 0x31 : 0x30;
  return bytes;
}
