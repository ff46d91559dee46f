// Figures and tables as the command line prints them.
import { describe, expect, it } from "vitest";
import { bytes, figuresLine, memoryText, metadataText, modelFileText, table } from "../../src/cli/format.js";

describe("format", () => {
  it("puts a run's figures on one line", () => {
    const line = figuresLine({
      text: "a\nb",
      finishReason: "length",
      usage: { promptTokens: 5, cachedPromptTokens: 2, completionTokens: 64 },
      timings: {
        queueMs: 1,
        prefillMs: 11.06,
        decodeMs: 100,
        totalMs: 112,
        timeToFirstTokenMs: 12.06,
        tokensPerSecond: 630,
      },
    });
    expect(line).toBe(
      "[5 prompt tokens (2 cached) · 64 tokens generated · 630.0 tokens/s · first token after 12.1 ms · finished: length]",
    );
  });

  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [12_897_485, "12.3 MiB"],
    [3 * 1024 ** 4, "3.0 TiB"],
    [4096 * 1024 ** 4, "4096.0 TiB"],
  ])("%d bytes is %s", (count, text) => {
    expect(bytes(count)).toBe(text);
  });

  it("pads every column but the last", () => {
    expect(
      table([
        ["a", "b", "c"],
        ["long", "x", "y"],
      ]),
    ).toBe("a     b  c\nlong  x  y");
  });

  it("keeps a metadata value on one line", () => {
    expect(metadataText("two\nlines")).toBe('"two\\nlines"');
    expect(metadataText("x".repeat(200))).toHaveLength(73);
    expect(metadataText({ arrayLength: 32_000 })).toBe("array of 32000");
    expect(metadataText([1, 2, 3])).toBe("[1, 2, 3]");
    expect(metadataText(Array.from({ length: 64 }, (_, i) => i))).toBe(
      "[0, 1, 2, 3, 4, 5, 6, 7, … 64 in all]",
    );
    expect(metadataText(2 ** 40)).toBe("1099511627776");
    expect(metadataText(false)).toBe("false");
  });

  it("sums a file's tensors by type, largest first", () => {
    const tensor = (name: string, type: string, size: number) => ({ name, type, shape: [2, 3], bytes: size });
    const text = modelFileText({
      version: 3,
      fileBytes: 2048,
      metadata: { "general.name": "tiny" },
      tensors: [tensor("a", "f32", 100), tensor("b", "q8_0", 1024), tensor("c", "f32", 20)],
    });
    expect(text).toContain("Tensors (3): q8_0 1.0 KiB, f32 120 B");
    expect(text).toContain('general.name  "tiny"');
    expect(text).toContain("b  q8_0  2 x 3  1.0 KiB");
  });

  it("sums the memory needed", () => {
    const needed = {
      weightBytes: 1024,
      kvBytes: 2048,
      computeBytes: 512,
      vocabularyBytes: 512,
      hostCacheBytes: 3072,
      devices: [],
    };
    const text = memoryText({ slots: 4, contextLength: 256, needed, freeBytes: 4096 });
    expect(text).toContain("4 slots of 256 tokens");
    expect(text).toMatch(/host cache, at most +3.0 KiB/);
    expect(text).toMatch(/total +7.0 KiB\nfree now +4.0 KiB$/);
    const tight = memoryText({ slots: 4, contextLength: 256, needed, freeBytes: 4095 });
    expect(tight).toContain("\nThis does not fit: use fewer slots");
  });
});
