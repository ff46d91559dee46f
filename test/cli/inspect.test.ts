// `infernode inspect` as a process.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { embeddedModelPath } from "../../src/index.js";
import { run, runCommand } from "../helpers/programs.js";

const timeout = 60_000;

describe("infernode inspect", () => {
  it("shows metadata, tensors and the memory needed", { timeout }, async () => {
    const { code, stdout, stderr } = await runCommand(["inspect", embeddedModelPath(), "--slots", "4"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/general\.architecture +"llama"/);
    expect(stdout).toMatch(/token_embd\.weight +q8_0/);
    expect(stdout).toContain("Memory needed with 4 slots of 1024 tokens");
  });

  it("with --json prints one line that a program can read", { timeout }, async () => {
    const { code, stdout } = await runCommand(["inspect", embeddedModelPath(), "--json"]);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
    const report = JSON.parse(stdout);
    expect(report.metadata["general.architecture"]).toBe("llama");
    expect(report.tensors.length).toBeGreaterThan(10);
    expect(report.memory).toMatchObject({ slots: 8, contextLength: 1024 });
    expect(report.memory.freeBytes).toBeGreaterThan(0);
  });

  it("shows what a checkpoint becomes, and where it was packed", { timeout }, async () => {
    const home = mkdtempSync(join(tmpdir(), "infernode-inspect-"));
    const inspect = (...args: string[]) =>
      run("dist/cli/main.js", {
        args: ["inspect", "test/fixtures/checkpoints/autoawq-gemm-llama", ...args],
        env: { HF_HOME: home },
      });
    const { code, stdout, stderr } = await inspect("--slots", "2");
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/general\.architecture +"llama"/);
    expect(stdout).toMatch(/blk\.0\.attn_q\.weight +q4_1 +64 x 64/);
    expect(stdout).toContain("Checkpoint: AWQ gemm, 4 bits, groups of 32, asymmetric, loaded from ");
    expect(stdout).toMatch(
      /to q4_1: 14 tensors, 5\.00 bits per weight, off by [\d.]+ quantization steps rms/,
    );
    expect(stdout).toContain("Memory needed with 2 slots");
    const json = await inspect("--json");
    rmSync(home, { recursive: true });
    expect(json.code, json.stderr).toBe(0);
    const { tensors, checkpoint } = JSON.parse(json.stdout);
    expect(tensors).toHaveLength(checkpoint.tensors.length);
    expect(checkpoint.file.startsWith(home)).toBe(true);
  });

  it("refuses a folder without a model, naming what it lacks", { timeout }, async () => {
    const { code, stdout, stderr } = await runCommand(["inspect", "docs"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(/docs.*(config\.json|GGUF)/);
  });

  it("still shows the header of a model it cannot load, and says why", { timeout }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "infernode-inspect-"));
    const path = join(folder, "unknown.gguf");
    const bytes = readFileSync(embeddedModelPath());
    for (let at = bytes.indexOf("llama"); at >= 0; at = bytes.indexOf("llama", at)) bytes.write("zzzzz", at);
    writeFileSync(path, bytes);
    const { code, stdout, stderr } = await runCommand(["inspect", path]);
    rmSync(folder, { recursive: true });
    expect(code).toBe(0);
    expect(stdout).toMatch(/general\.architecture +"zzzzz"/);
    expect(stderr).toMatch(
      /^infernode: the memory needed is unknown: .*\[MODEL_ARCHITECTURE_UNSUPPORTED\]\n$/,
    );
  });

  it("refuses a shape no engine can have with code 2", { timeout }, async () => {
    const { code, stdout, stderr } = await runCommand(["inspect", embeddedModelPath(), "--slots", "0"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("--slots must be an integer from 1 to 256, got 0");
  });

  it("fails with code 1 on a file that is no model", { timeout }, async () => {
    const { code, stdout, stderr } = await runCommand(["inspect", "package.json"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("[MODEL_NOT_GGUF]");
  });
});
