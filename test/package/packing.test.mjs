// What `npm run package` refuses to pack, on libraries that this machine's compiler makes.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { refuseOtherArchitectures } from "../../tools/package/backend-library.mjs";
import { sourcesAt } from "../../tools/package/manifests.mjs";
import { isNewer, placeNativeFiles } from "../../tools/package/native-files.mjs";
import { kThisPlatform } from "../../tools/package/platforms.mjs";
import { compile, fatBinary } from "../helpers/native-folder.js";

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "infernode-packing-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

// A library that calls a function of another one, which has it under `version`.
function libraryThatNeeds(version) {
  const write = (name, text) => writeFileSync(path.join(folder, name), text);
  const compile = (...args) =>
    execFileSync("cc", ["-shared", "-fPIC", "-nostdlib", ...args], { cwd: folder });
  write("system.c", "int newest(void) { return 1; }\n");
  write("versions", `${version} { global: newest; local: *; };\n`);
  compile("system.c", "-Wl,--version-script=versions", "-Wl,-soname,libsystem.so", "-o", "libsystem.so");
  write("ours.c", "int newest(void);\nint ours(void) { return newest(); }\n");
  compile("ours.c", "libsystem.so", "-o", "libours.so");
  return path.join(folder, "libours.so");
}

describe.skipIf(process.platform !== "linux")("a CUDA library", () => {
  const judged = (kind, held, name) =>
    refuseOtherArchitectures(compile(folder, "cuda.so", fatBinary(kind, held)), name);

  it.each([
    ["sass", 90, "cuda-sm90"],
    ["sass", 86, "cuda-sm86"],
    ["sass", 80, "vulkan"],
  ])("with %s of %i is packed as %s", async (kind, held, name) => {
    await expect(judged(kind, held, name)).resolves.toBeUndefined();
  });

  it.each([
    ["sass", 80, "cuda-sm90", "SASS 80"],
    ["sass", 89, "cuda-sm86", "SASS 89"],
    ["ptx", 90, "cuda-sm90", "PTX 90"],
  ])("with %s of %i is not packed as %s", async (kind, held, name, told) => {
    await expect(judged(kind, held, name)).rejects.toThrow(told);
  });
});

describe.skipIf(process.platform !== "linux")("a native file", () => {
  const place = (file) => placeNativeFiles([file], path.join(folder, "package"), kThisPlatform);

  it.each(["GLIBC_2.34", "GLIBCXX_3.4.30"])("that needs %s is packed", async (version) => {
    await expect(place(libraryThatNeeds(version))).resolves.toBeUndefined();
  });

  it.each([
    ["GLIBC_2.35", "2.34"],
    ["GLIBC_2.100", "2.34"],
    ["GLIBCXX_3.4.31", "3.4.30"],
  ])("that needs %s is refused", async (version, most) => {
    await expect(place(libraryThatNeeds(version))).rejects.toThrow(
      `libours.so needs ${version}, and packages may need ${most} at most`,
    );
  });

  it("of another kind is refused", async () => {
    const text = path.join(folder, "text.so");
    writeFileSync(text, "not a library, and long enough for a header");
    await expect(place(text)).rejects.toThrow(`text.so is not for ${kThisPlatform}`);
  });
});

it("versions are compared number by number", () => {
  expect(isNewer("2.100", "2.34")).toBe(true);
  expect(isNewer("2.4", "2.34")).toBe(false);
  expect(isNewer("2.34", "2.34")).toBe(false);
  expect(isNewer("2.34.1", "2.34")).toBe(true);
});

describe("the repository of the sources", () => {
  it.each(["https://github.com/acme/infernode", "https://github.com/acme/infernode.git"])("%s", (url) => {
    expect(sourcesAt(url)).toEqual({
      repository: { type: "git", url: "git+https://github.com/acme/infernode.git" },
      homepage: "https://github.com/acme/infernode#readme",
      bugs: "https://github.com/acme/infernode/issues",
    });
  });

  it("is left out where none is named, and refused where it is no address of GitHub", () => {
    expect(sourcesAt(undefined)).toEqual({});
    expect(() => sourcesAt("acme/infernode")).toThrow("--repository must be https://github.com/OWNER/NAME");
  });
});
