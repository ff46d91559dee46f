// Too little memory on the JavaScript thread: every generation ends, every promise settles.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { failingAllocations } from "../helpers/failing-allocations.js";
import { hasCompiler } from "../helpers/native-folder.js";
import { runFixture } from "../helpers/programs.js";

const minute = 60_000;

describe.runIf(process.platform === "linux" && hasCompiler)("whatever allocation of the addon fails", () => {
  const folder = mkdtempSync(join(tmpdir(), "infernode-allocations-"));
  const unknownVersion = join(folder, "unknown-version.gguf");
  writeFileSync(unknownVersion, Buffer.concat([Buffer.from("GGUF"), Buffer.alloc(60, 99)]));
  const env = failingAllocations(folder);
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ["a generation loses no text and ends", "events"],
    ["the generations of an engine that closes end", "close"],
    ["a failure is told", "rejection"],
    ["a promise of an engine settles", "engine"],
    ["a call throws an error with its code", "call"],
  ])("%s", { timeout: minute }, async (_, part) => {
    const { code, stdout, stderr } = await runFixture("failing-allocations.mjs", {
      args: [part, unknownVersion],
      env,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { failed, wrong } = JSON.parse(stdout) as { failed: number; wrong: unknown[] };
    expect(wrong).toEqual([]);
    expect(failed).toBeGreaterThan(10);
  });
});
