// Where headers end: of llama.cpp's own vocabulary files, which are nothing but a header, of a
// model file, and of the beginnings of both.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { embeddedModelPath } from "../../../src/index.js";
import { ggufHeaderLength, safetensorsHeaderLength } from "../../../src/models/plan/header-length.js";

const vocabularies = resolve(import.meta.dirname, "../../../third_party/.sources/llama.cpp/models");
const files = readdirSync(vocabularies).filter((name) => name.endsWith(".gguf"));
const alignment = 32;

describe("a GGUF header", () => {
  it.each(files)("of %s ends where the file does", (name) => {
    const bytes = readFileSync(join(vocabularies, name));
    const length = ggufHeaderLength(bytes) ?? 0;
    expect(Math.ceil(length / alignment) * alignment).toBeGreaterThanOrEqual(bytes.length);
    expect(length).toBeLessThanOrEqual(bytes.length);
  });

  it("of a model ends before its weights, and is not found in less than itself", () => {
    const bytes = readFileSync(embeddedModelPath());
    const length = ggufHeaderLength(bytes) ?? 0;
    expect(length).toBeGreaterThan(1000);
    expect(length).toBeLessThan(bytes.length / 4);
    for (let share = 0; share < 1; share += 0.01) {
      expect(ggufHeaderLength(bytes.subarray(0, Math.floor(length * share)))).toBeUndefined();
    }
    expect(ggufHeaderLength(bytes.subarray(0, length))).toBe(length);
  });

  it.each([
    ["other bytes", Buffer.from("<!DOCTYPE html><html>")],
    ["a type that there is none of", Buffer.concat([Buffer.from("GGUF"), Buffer.alloc(60, 0xff)])],
  ])("is all there is of %s", (_what, bytes) => {
    expect(ggufHeaderLength(bytes)).toBe(bytes.length);
  });
});

describe("a safetensors header", () => {
  const header = Buffer.from('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = Buffer.concat([length, header, Buffer.alloc(4)]);

  it("has the length that its first eight bytes say", () => {
    expect(safetensorsHeaderLength(file)).toBe(8 + header.length);
    expect(safetensorsHeaderLength(file.subarray(0, 20))).toBeUndefined();
    expect(safetensorsHeaderLength(file.subarray(0, 7))).toBeUndefined();
  });

  it("is all there is where that is no length", () => {
    const absurd = Buffer.alloc(64, 0xff);
    expect(safetensorsHeaderLength(absurd)).toBe(absurd.length);
  });
});
