// A package whose addon is not built, or cannot be loaded, says so.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "./helpers/programs.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const timeout = 60_000;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "infernode-bare-"));
  for (const part of ["dist", "package.json", "third_party/llama.cpp.json"]) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("a package without its addon", () => {
  it("fails with NATIVE_MISSING and says what to run", { timeout }, async () => {
    const args = ["inspect", "model.gguf"];
    const { code, stderr } = await run(join(folder, "dist/cli/main.js"), { args });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^infernode: the package @infernode\/linux-\w+ is not installed; .*`npm install @infernode\/linux-\w+` \(in a clone: `npm run build`\)(; for the NVIDIA GPU .*)? \[NATIVE_MISSING\]\n$/,
    );
  });

  it.each([
    ["darwin", "arm64", "infernode has no native files for darwin arm64, only for Linux on x64 and arm64"],
    ["win32", "x64", "infernode has no native files for win32 x64, only for Linux on x64 and arm64"],
    ["linux", "riscv64", "infernode has no native files for linux riscv64"],
  ])("says on %s %s where there are some", { timeout }, async (platform, arch, sentence) => {
    const disguise = `for (const [name, value] of [["platform", "${platform}"], ["arch", "${arch}"]])
      Object.defineProperty(process, name, { value });`;
    writeFileSync(join(folder, "disguise.cjs"), disguise);
    const nodeFlags = ["--require", join(folder, "disguise.cjs")];
    const args = ["inspect", "model.gguf"];
    const { code, stderr } = await run(join(folder, "dist/cli/main.js"), { args, nodeFlags });
    expect(code).toBe(1);
    expect(stderr).toContain(sentence);
  });

  it("says on a system with musl what it needs", { timeout }, async () => {
    const disguise = "process.report.getReport = () => ({ header: {} });";
    writeFileSync(join(folder, "disguise.cjs"), disguise);
    const nodeFlags = ["--require", join(folder, "disguise.cjs")];
    const { stderr } = await run(join(folder, "dist/cli/main.js"), {
      args: ["inspect", "a.gguf"],
      nodeFlags,
    });
    expect(stderr).toContain("need glibc 2.34 or newer, and this system has musl");
  });

  it("takes the folder that INFERNODE_NATIVE names, before any other", { timeout }, async () => {
    const env = { INFERNODE_NATIVE: join(root, "build", "Release") };
    const args = ["inspect", join(root, "assets", "tinytale-q8_0.gguf")];
    expect((await run(join(folder, "dist/cli/main.js"), { args, env })).code).toBe(0);
    const wrong = await run(join(root, "dist/cli/main.js"), { args, env: { INFERNODE_NATIVE: folder } });
    expect(wrong.stderr).toContain(
      `INFERNODE_NATIVE must name a folder that holds infernode.node, got ${folder}`,
    );
  });

  // As on RHEL 9, whose C++ library has no GLIBCXX_3.4.30.
  it("says on a system that is too old what it needs, and how to build it there", { timeout }, async () => {
    const place = join(folder, "build", "Release");
    mkdirSync(place, { recursive: true });
    const write = (name: string, text: string) => writeFileSync(join(place, name), text);
    const compile = (...args: readonly string[]) =>
      execFileSync("cc", ["-shared", "-fPIC", "-nostdlib", ...args], { cwd: place });
    write("newer.c", "int newest(void) { return 1; }\n");
    write("versions", "GLIBCXX_3.4.99 { global: newest; local: *; };\n");
    compile("newer.c", "-Wl,--version-script=versions", "-Wl,-soname,libstdc++.so.6", "-o", "libnewer.so");
    write("addon.c", "int newest(void);\nint ours(void) { return newest(); }\n");
    compile("addon.c", "libnewer.so", "-o", "infernode.node");
    const { code, stderr } = await run(join(folder, "dist/cli/main.js"), { args: ["inspect", "model.gguf"] });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /GLIBCXX_3\.4\.99.* not found .*; it needs glibc 2\.34 and the C\+\+ library of GCC 12 or newer .*; elsewhere, compile it with `npx infernode build` \[NATIVE_MISSING\]\n$/,
    );
  });

  it("tells one that cannot be loaded from one that is missing", { timeout }, async () => {
    mkdirSync(join(folder, "build", "Release"), { recursive: true });
    writeFileSync(join(folder, "build", "Release", "infernode.node"), "not a library");
    const { stderr } = await run(join(folder, "dist/cli/main.js"), { args: ["inspect", "model.gguf"] });
    expect(stderr).toMatch(
      /^infernode: the native addon cannot be loaded \(.*infernode\.node.*NATIVE_MISSING\]\n$/,
    );
  });
});
