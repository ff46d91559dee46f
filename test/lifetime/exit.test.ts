// How processes end that leave engines in whatever state: by exit code.
import { describe, expect, it } from "vitest";
import { runFixture } from "../helpers/programs.js";

const clean = { code: 0, signal: null, stderr: "" };
const minute = 60_000;

describe("a process", () => {
  it("exits 0 by process.exit() mid-generation", { timeout: minute }, async () => {
    expect(await runFixture("exit-mid-generation.mjs")).toMatchObject(clean);
  });

  it("exits 0 by process.exit() while closed models draft", { timeout: minute }, async () => {
    expect(await runFixture("exit-mid-draft.mjs")).toMatchObject(clean);
  });

  it("exits 0 by process.exit() while a model or an engine is made", { timeout: minute }, async () => {
    expect(await runFixture("exit-mid-load.mjs")).toMatchObject(clean);
  });

  it("ends by itself with engines left open, idle, unread or abandoned", { timeout: minute }, async () => {
    expect(await runFixture("fall-off-the-end.mjs")).toMatchObject({ ...clean, stdout: "true\n" });
  });

  it("exits 1 of an uncaught exception mid-generation", { timeout: minute }, async () => {
    const ending = await runFixture("throw-mid-generation.mjs");
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toContain("thrown on purpose");
  });

  it("exits 1 of an unhandled rejection mid-generation", { timeout: minute }, async () => {
    const ending = await runFixture("reject-mid-generation.mjs");
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toContain("rejected on purpose");
  });

  it("closes model and engine mid-generation and exits 0", { timeout: minute }, async () => {
    expect(await runFixture("close-mid-generation.mjs")).toMatchObject({ ...clean, stdout: "true\n" });
  });
});

describe("the package", () => {
  const canRequire = Reflect.get(process.features, "require_module") === true;

  it.runIf(canRequire)("can be required where Node can require ES modules", { timeout: minute }, async () => {
    const quiet = { nodeFlags: ["--disable-warning=ExperimentalWarning"] };
    expect(await runFixture("require-the-package.cjs", quiet)).toMatchObject({ ...clean, stdout: "llama\n" });
  });
});
