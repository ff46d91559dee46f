// Where llama.cpp's sources come from, and what is refused.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCheckout } from "./checkout.mjs";

const ensure = `
  const { ensureLlamaSource } = await import("./tools/setup/llama-source.mjs");
  const { tree } = await ensureLlamaSource();
  console.log("tree " + tree);`;

let checkout;
beforeEach(() => {
  checkout = makeCheckout();
});
afterEach(() => checkout.remove());

// An npm that "packs" this text instead of downloading anything.
function fakeNpm(text) {
  checkout.write(
    "npm.js",
    `const folder = process.argv[process.argv.indexOf("--pack-destination") + 1];
     require("node:fs").writeFileSync(folder + "/package.tgz", ${JSON.stringify(text)});`,
  );
  return { npm_execpath: checkout.file("npm.js") };
}

describe("a folder that holds another tree", () => {
  beforeEach(() => checkout.write("other/include/llama.h", "// not the pinned one\n"));

  it("is refused, with both hashes and what to do", async () => {
    const { status, output } = await checkout.run(ensure, {
      INFERNODE_LLAMA_CPP_DIR: checkout.file("other"),
    });
    expect(status).toBe(1);
    expect(output).toContain(`the pin is ${checkout.pin.tree}`);
    expect(output).toContain("INFERNODE_LLAMA_CPP_UNPINNED=1");
  });

  it("is permitted with INFERNODE_LLAMA_CPP_UNPINNED=1, and reported", async () => {
    const env = { INFERNODE_LLAMA_CPP_DIR: checkout.file("other"), INFERNODE_LLAMA_CPP_UNPINNED: "1" };
    const { status, output } = await checkout.run(ensure, env);
    expect(status).toBe(0);
    expect(output).toMatch(/are not llama\.cpp .* permits it/);
    expect(output).toMatch(/tree [0-9a-f]{40}\n/);
  });

  it("has a hash that follows its files, ignored ones too, but not its build folders", async () => {
    const hash = `
      const { treeHash } = await import("./tools/setup/tree-hash.mjs");
      console.log(await treeHash("other"));`;
    const first = await checkout.run(hash);
    checkout.write("other/build/object.o", "made");
    const built = await checkout.run(hash);
    checkout.write("other/.gitignore", "*.tmp\n");
    const ignoring = await checkout.run(hash);
    checkout.write("other/a.tmp", "ignored by git, compiled by a glob");
    const ignored = await checkout.run(hash);
    expect(first.output).toMatch(/^[0-9a-f]{40}\n$/);
    expect(built.output).toBe(first.output);
    expect(new Set([first.output, ignoring.output, ignored.output]).size).toBe(3);
  });
});

it("refuses a folder without llama.cpp by name", async () => {
  mkdirSync(checkout.file("empty"));
  const { status, output } = await checkout.run(ensure, { INFERNODE_LLAMA_CPP_DIR: checkout.file("empty") });
  expect(status).toBe(1);
  expect(output).toContain("include/llama.h is missing");
});

it("refuses a broken download, deletes it and leaves no sources behind", async () => {
  const { status, output } = await checkout.run(ensure, fakeNpm("half a package"));
  expect(status).toBe(1);
  expect(output).toContain("is broken and was deleted");
  expect(output).toContain("could not be fetched");
  expect(readdirSync(checkout.file(".build/downloads"))).toEqual([]);
  expect(readdirSync(checkout.file("third_party/.sources"))).toEqual([]);
});

it("does not trust a download left by an earlier run", async () => {
  const { npm } = checkout.pin;
  const left = `.build/downloads/${npm.package}-${npm.version}.tgz`;
  checkout.write(left, "half a package");
  const { output } = await checkout.run(ensure, fakeNpm("the other half"));
  expect(output).toContain("is broken and was deleted");
});

it("starts over after a clone that was interrupted", async () => {
  checkout.write("third_party/.sources/llama.cpp.partial/include/llama.h", "half");
  writeFileSync(checkout.file("npm.js"), "process.exit(1)");
  const { status } = await checkout.run(ensure, { npm_execpath: checkout.file("npm.js") });
  expect(status).toBe(1);
  expect(existsSync(checkout.file("third_party/.sources/llama.cpp"))).toBe(false);
});
