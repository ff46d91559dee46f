// Engines whose slots or context the caller left open are made as large as memory allows.
import { describe, expect, it } from "vitest";
import { makeFitting, nextSize } from "../../src/engine/engine-room.js";
import { type EngineOptions, InferenceError } from "../../src/index.js";

const defaults = { slots: 8, contextLength: 4096 };

/** Memory for so many cells; the tries are what was asked for. */
async function made(given: EngineOptions, cells: number) {
  const tries: string[] = [];
  const size = await makeFitting(given, defaults, async ({ slots = 8, contextLength = 4096 }) => {
    tries.push(`${slots}x${contextLength}`);
    if (slots * contextLength > cells) throw new InferenceError("OUT_OF_MEMORY", "too little");
    return { slots, contextLength };
  });
  return { ...size, tries };
}

describe("an engine in little memory", () => {
  it("has its defaults where they fit", async () => {
    expect(await made({}, 2 ** 15)).toEqual({ ...defaults, tries: ["8x4096"] });
  });

  it("has fewer slots before it has less context", async () => {
    const { tries, ...size } = await made({}, 2048);
    expect(size).toEqual({ slots: 1, contextLength: 2048 });
    expect(tries).toEqual(["8x4096", "4x4096", "2x4096", "1x4096", "1x2048"]);
  });

  it.each([
    [{ slots: 8 }, 16_384, { slots: 8, contextLength: 2048 }],
    [{ contextLength: 4096 }, 8192, { slots: 2, contextLength: 4096 }],
  ])("keeps what the caller chose, %j", async (given, cells, size) => {
    expect(await made(given, cells)).toMatchObject(size);
  });

  it.each([
    [{ slots: 8, contextLength: 4096 }, 16_384],
    [{ kvCells: 4096 }, 1024],
    [{}, 100],
  ])("refuses where nothing is left to shrink, %j", async (given, cells) => {
    await expect(made(given, cells)).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
  });

  it("tries nothing again for another failure", async () => {
    let tries = 0;
    const failing = makeFitting({}, defaults, async () => {
      tries += 1;
      throw new InferenceError("MODEL_CLOSED", "closed");
    });
    await expect(failing).rejects.toMatchObject({ code: "MODEL_CLOSED" });
    expect(tries).toBe(1);
  });

  it("stops at 512 tokens", () => {
    expect(nextSize({}, { slots: 1, contextLength: 1023 })).toBeUndefined();
  });
});
