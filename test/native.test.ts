// A package whose addon is not built, or cannot be loaded, says so.
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
  for (const part of ["dist", "package.json"]) {
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
    expect(stderr).toBe(
      `infernode: the native addon is not built for ${process.platform} ${process.arch}; ` +
        "run `npm start` or `npm run build` in the package's folder [NATIVE_MISSING]\n",
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
