// JavaScript and native files of two versions refuse each other by name. The older native files
// are this clone's, with the number of their calls changed in the addon's bytes.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nativeInterface } from "../src/native-interface.js";
import { run, runFixture } from "./helpers/programs.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const built = join(root, "build", "Release");
const timeout = 60_000;
const args = ["inspect", join(root, "assets", "tinytale-q8_0.gguf")];

describe("the number of the native calls", () => {
  const read = (file: string) => readFileSync(join(root, file), "utf8");

  it("is the same in both languages", () => {
    expect(read("native/napi/native_interface.h")).toContain(`"${nativeInterface}"`);
  });

  it("was raised when src/native.ts changed: raise it in both files, and record the hash here", () => {
    const files = ["", "-checkpoint", "-devices", "-events", "-plan", "-quantize"].map(
      (part) => `native${part}.ts`,
    );
    const code = files
      .map((file) => read(`src/${file}`))
      .join("")
      .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")
      .replace(/\s+/g, " ");
    const hash = createHash("sha256").update(code).digest("hex").slice(0, 16);
    expect(`${nativeInterface}: ${hash}`).toBe("infernode native interface 11: 48ae431346ad7e45");
  });
});

describe("native files of an older version", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "infernode-old-"));
    for (const name of readdirSync(built)) {
      if (name === "infernode.node") copyFileSync(join(built, name), join(folder, name));
      else symlinkSync(join(built, name), join(folder, name));
    }
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /**
   * Replaces a text of the addon by one of the same length, wherever it ends a text: linkers store
   * a text that another one ends with only once, and which of several they take is theirs to say.
   */
  function patch(from: string, to: string): void {
    const file = join(folder, "infernode.node");
    const bytes = readFileSync(file);
    let place = bytes.indexOf(`${from}\0`, 0, "latin1");
    expect(place).toBeGreaterThan(0);
    for (; place > 0; place = bytes.indexOf(`${from}\0`, place, "latin1")) bytes.write(to, place, "latin1");
    writeFileSync(file, bytes);
  }

  it("load where the number is the same", { timeout }, async () => {
    const { code } = await run("dist/cli/main.js", { args, env: { INFERNODE_NATIVE: folder } });
    expect(code).toBe(0);
  });

  it("are refused by another number, naming both versions and the folder", { timeout }, async () => {
    patch(nativeInterface, nativeInterface.replace(/.$/, "x"));
    const { code, stderr } = await run("dist/cli/main.js", { args, env: { INFERNODE_NATIVE: folder } });
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(code).toBe(1);
    expect(stderr).toBe(
      `infernode: the native files in ${folder} are of version ${version} of infernode with other calls, ` +
        `and its JavaScript files are of version ${version}; INFERNODE_NATIVE names this folder: ` +
        "unset it, or build the folder again from this version [NATIVE_MISSING]\n",
    );
  });

  it("are refused where they tell no number, as those before it", { timeout }, async () => {
    patch("interface", "interfacE");
    patch("version", "versioN");
    const { code, stderr } = await run("dist/cli/main.js", { args, env: { INFERNODE_NATIVE: folder } });
    expect(code).toBe(1);
    expect(stderr).toContain(`the native files in ${folder} are of an older version of infernode`);
  });
});

describe("an exception in the handler of events", () => {
  it("ends the process instead of a request that waits for ever", { timeout }, async () => {
    const ending = await runFixture("throw-in-events.mjs");
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toContain("thrown by a reader");
  });
});
