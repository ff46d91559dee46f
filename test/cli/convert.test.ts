// `infernode convert` as a person calls it: real checkpoints become files that generate, wrong
// flags are told before anything is written, and whatever ends it leaves no half file.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inspectModel } from "../../src/index.js";
import { quantizeTypes } from "../../src/models/quantize-types.js";
import { runCommand } from "../helpers/programs.js";

const timeout = 120_000;
const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/checkpoints/${name}`, import.meta.url));

let folder: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "infernode-convert-"));
  out = join(folder, "model.gguf");
});
afterEach(() => rmSync(folder, { recursive: true }));

const convert = (...args: readonly string[]) => runCommand(["convert", ...args]);
const typesOf = (path: string) => new Set(inspectModel(path).tensors.map(({ type }) => type));

describe("a checkpoint", { timeout }, () => {
  it("becomes a file that generates; progress and report are plain lines", async () => {
    const converted = await convert(fixture("autoawq-gemm-llama"), "--out", out);
    expect(converted).toMatchObject({ code: 0 });
    expect(converted.stderr).toMatch(/^infernode: (?:10|20|30|40|50|60|70|80|90|100) % written after \d/m);
    for (const control of ["\r", "\x1b"]) expect(converted.stderr).not.toContain(control);
    expect(converted.stdout).toContain(`${out}: `);
    expect(converted.stdout).toMatch(/AWQ.* to q\d_\w+: \d+ tensors, \d\.\d\d bits per weight, /);
    expect(converted.stdout).toMatch(/in all: \d+\.\d\d bits per weight/);
    const generated = await runCommand(["generate", "-m", out, "-n", "4", "--ignore-eos", "Once"]);
    expect(generated).toMatchObject({ code: 0 });
    expect(generated.stdout).not.toBe("");
    expect(readdirSync(folder)).toEqual(["model.gguf"]);
  });

  it("is reported as JSON", async () => {
    const { stdout } = await convert(fixture("llama-f16"), "--out", out, "--json", "--quantize", "Q8_0");
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ path: out, bytes: statSync(out).size, description: "f16" });
    expect(report.tensors.map(({ name }: { name: string }) => name)).toEqual(
      inspectModel(out).tensors.map(({ name }) => name),
    );
    expect(typesOf(out)).toEqual(new Set(["q8_0", "f32"]));
  });

  it("is quantized by llama.cpp's quantizer to what it alone makes", async () => {
    const converted = await convert(fixture("llama-f16"), "--out", out, "--quantize", "q4_0");
    expect(converted).toMatchObject({ code: 0 });
    expect(converted.stdout).toMatch(/f16 to q4_0: \d+ tensors, 4\.50 bits per weight, rounded/);
    expect(typesOf(out)).toContain("q4_0");
    const generated = await runCommand(["generate", "-m", out, "-n", "2", "--ignore-eos", "Once"]);
    expect(generated).toMatchObject({ code: 0 });
  });

  it("replaces a file only with --force", async () => {
    writeFileSync(out, "mine");
    const refused = await convert(fixture("llama-f16"), "--out", out);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain(`${out} is there already; remove it, or replace it with --force`);
    expect(readFileSync(out, "utf8")).toBe("mine");
    expect(await convert(fixture("llama-f16"), "--out", out, "--force")).toMatchObject({ code: 0 });
    expect(inspectModel(out).version).toBe(3);
  });
});

describe("what cannot be done", { timeout }, () => {
  it.each<[string, (folder: string) => readonly string[], number, string]>([
    ["no --out", () => [fixture("llama-f16")], 2, "--out"],
    [
      "a folder that is not there",
      (at) => [fixture("llama-f16"), "-o", join(at, "no", "a.gguf")],
      2,
      "there is no folder",
    ],
    ["a directory as the file", (at) => [fixture("llama-f16"), "-o", at], 2, "is a directory"],
    [
      "an unknown profile",
      (at) => [fixture("llama-f16"), "-o", join(at, "a"), "--profile", "q9"],
      2,
      "Allowed choices are auto",
    ],
    [
      "an unknown type",
      (at) => [fixture("llama-f16"), "-o", join(at, "a"), "--quantize", "q9"],
      2,
      quantizeTypes.join(", "),
    ],
    [
      "a pre-tokenizer that is no name",
      (at) => [fixture("llama-f16"), "-o", join(at, "a"), "--pre-tokenizer", "a b"],
      2,
      "--pre-tokenizer must be",
    ],
    ["a model that is not there", (at) => [join(at, "none"), "-o", join(at, "a")], 2, "does not exist"],
    [
      "quantized weights to be quantized again",
      (at) => [fixture("autoawq-gemm-llama"), "-o", join(at, "a"), "--quantize", "q4_k_m"],
      2,
      "quantized",
    ],
    ["a folder without a model", (at) => [at, "-o", join(at, "a")], 1, "config.json"],
  ])("%s", async (_, args, code, sentence) => {
    const ending = await convert(...args(folder));
    expect(ending).toMatchObject({ code, stdout: "" });
    expect(ending.stderr).toContain(sentence);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("a signal", { timeout }, () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends it with %i, and leaves nothing", async (signal, code) => {
    const source = bigCheckpoint(join(folder, "source"));
    const target = join(folder, "target");
    mkdirSync(target);
    const child = spawn(process.execPath, [program, "convert", source, "-o", join(target, "model.gguf")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let told = "";
    child.stderr.on("data", (chunk) => {
      if (told === "") child.kill(signal); // at the first tenth
      told += chunk;
    });
    const [ended, by] = await once(child, "close");
    expect({ ended, by, told }).toMatchObject({ ended: code, by: null });
    expect(readdirSync(target)).toEqual([]);
  });
});

/** A checkpoint whose conversion takes seconds: the fixture's with wide layers of zeros, which take no room. */
function bigCheckpoint(path: string): string {
  cpSync(fixture("llama-f16"), path, { recursive: true });
  const wide = 2 ** 19;
  const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
  writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, intermediate_size: wide }));
  const weights = join(path, "model.safetensors");
  const old = readFileSync(weights);
  const header = JSON.parse(old.toString("utf8", 8, 8 + Number(old.readBigUInt64LE())));
  let end = 0;
  for (const tensor of Object.values<{ shape: number[]; data_offsets: number[] }>(header)) {
    if (tensor.shape === undefined) continue; // __metadata__
    tensor.shape = tensor.shape.map((length) => (length === config.intermediate_size ? wide : length));
    const bytes = tensor.shape.reduce((all, length) => all * length, 2);
    tensor.data_offsets = [end, end + bytes];
    end += bytes;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(weights, Buffer.concat([length, text]));
  truncateSync(weights, 8 + text.length + end);
  return path;
}
