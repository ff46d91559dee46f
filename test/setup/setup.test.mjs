// The set-up's own parts: missing tools, stamps, the lock, interrupted work.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCheckout, pathWith } from "./checkout.mjs";

let checkout;
beforeEach(() => {
  checkout = makeCheckout();
});
afterEach(() => checkout.remove());

describe("a missing tool", () => {
  const requireAll = `
    const { requirePrograms } = await import("./tools/setup/toolchain.mjs");
    requirePrograms("cmake", "compiler");`;

  it("is named in one sentence with the command that installs it", async () => {
    const PATH = pathWith(checkout.file("bin"), { "apt-get": process.execPath });
    const { status, output } = await checkout.run(requireAll, { PATH, CXX: "" });
    expect(status).toBe(1);
    expect(output).toMatch(
      /^infernode: cmake and a C\+\+ compiler are missing; install with `(sudo )?apt-get install -y cmake g\+\+`, .*\n$/,
    );
  });

  it("is not missed when CXX names the compiler", async () => {
    const PATH = pathWith(checkout.file("bin"), { cmake: process.execPath });
    const { status } = await checkout.run(requireAll, { PATH, CXX: "/opt/cc" });
    expect(status).toBe(0);
  });
});

describe("glslc, which the Vulkan backend needs", () => {
  const requireGlslc = `
    const { requireGlslc } = await import("./tools/setup/toolchain.mjs");
    await requireGlslc();`;
  // Debian 12's and Debian 13's, as they answer.
  it.each([
    [
      "2023.2",
      1,
      /^infernode: glslc 2023\.2 cannot compile llama\.cpp's Vulkan shaders, .*\(2025\.2 can\).*\n$/,
    ],
    ["2025.2", 0, /^$/],
  ])("of version %s", async (version, code, said) => {
    const glslc = checkout.file("glslc");
    writeFileSync(glslc, `#!/bin/sh\necho "shaderc ${version}-1"\n`, { mode: 0o755 });
    const PATH = `${checkout.file(".")}:${process.env.PATH}`;
    const { status, output } = await checkout.run(requireGlslc, { PATH });
    expect(output).toMatch(said);
    expect(status).toBe(code);
  });
});

describe("a stamp", () => {
  const makeOutput = `
    const { isCurrent, markCurrent, markStale } = await import("./tools/setup/fingerprint.mjs");
    const { rmSync, writeFileSync } = await import("node:fs");
    const { paths } = await import("./tools/setup/paths.mjs");
    const output = paths.root + "/made.bin";
    writeFileSync(output, "made");
    markCurrent("thing", "print-1", [output]);`;

  it.each([
    ["is current for its fingerprint", `isCurrent("thing", "print-1")`, "true"],
    ["is not current for another", `isCurrent("thing", "print-2")`, "false"],
    ["is not current once work has begun", `(markStale("thing"), isCurrent("thing", "print-1"))`, "false"],
    ["is not current when an output is gone", `(rmSync(output), isCurrent("thing", "print-1"))`, "false"],
    [
      "is not current when it is damaged",
      `(writeFileSync(paths.stamps + "/thing.json", "{"), isCurrent("thing", "print-1"))`,
      "false",
    ],
  ])("%s", async (_, question, answer) => {
    const { output } = await checkout.run(`${makeOutput} console.log(${question});`);
    expect(output).toBe(`${answer}\n`);
  });
});

describe("the lock", () => {
  it("makes a second set-up wait for the first", async () => {
    const work = (name) => `
      const { withLock } = await import("./tools/setup/lock.mjs");
      const { appendFileSync } = await import("node:fs");
      await withLock(async () => {
        appendFileSync("log", "${name} in;");
        await new Promise((resolve) => setTimeout(resolve, 100));
        appendFileSync("log", "${name} out;");
      });`;
    await Promise.all([checkout.run(work("a")), checkout.run(work("b"))]);
    const log = readFileSync(checkout.file("log"), "utf8");
    expect(["a in;a out;b in;b out;", "b in;b out;a in;a out;"]).toContain(log);
  });

  it("is taken over from a process that is gone", async () => {
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    checkout.write(".build/setup.lock", `${gone}\n`);
    const { output } = await checkout.run(`
      const { withLock } = await import("./tools/setup/lock.mjs");
      await withLock(async () => console.log("mine"));`);
    expect(output).toBe("mine\n");
  });
});

it("a failed command shows where it began to complain and its end", async () => {
  const { status, output } = await checkout.run(`
    const { run } = await import("./tools/setup/command.mjs");
    const noise = "for (let i = 0; i < 500; i++) console.log('line ' + i); process.exitCode = 3";
    await run(process.execPath, ["-e", noise], { what: "the noise" });`);
  expect(status).toBe(1);
  expect(output).toContain("line 0\n");
  expect(output).toContain("line 499\n");
  expect(output).not.toContain("line 250\n");
  expect(output).toContain("infernode: the noise failed (exit 3).");
});
