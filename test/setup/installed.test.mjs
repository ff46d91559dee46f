// The set-up's modules inside an installed package, which has dist/ and no src/: what they
// fetch and make lies in the user's cache folder, and the headers come with a checksum.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeCheckout } from "./checkout.mjs";

let installed;
let environment;
beforeEach(() => {
  installed = makeCheckout();
  mkdirSync(installed.file("dist"));
  const pin = { version: "1.0.0", integrity: "sha512-nothing" };
  const pins = { "node-api-headers": pin, "node-addon-api": pin };
  installed.write("third_party/headers.json", JSON.stringify(pins));
  const pack = `const folder = process.argv[process.argv.indexOf("--pack-destination") + 1];
    require("node:fs").writeFileSync(folder + "/package.tgz", "half a package");`;
  installed.write("npm.js", pack);
  environment = { XDG_CACHE_HOME: installed.file("cache"), npm_execpath: installed.file("npm.js") };
});
afterEach(() => installed.remove());

it("headers whose checksum is not the pinned one are refused and deleted", async () => {
  const { status, output } = await installed.run(
    `await (await import("./tools/setup/headers.mjs")).ensureHeaders();`,
    environment,
  );
  expect(status).toBe(1);
  expect(output).toContain("the download of node-api-headers@1.0.0 is broken and was deleted");
  const build = installed.file("cache/infernode/build");
  expect(readdirSync(build)).toEqual(["downloads"]);
  expect(readdirSync(`${build}/downloads`)).toEqual([]);
});

it("nothing is written into the package", async () => {
  await installed.run(
    `await (await import("./tools/setup/llama-source.mjs")).ensureLlamaSource();`,
    environment,
  );
  expect(existsSync(installed.file("cache/infernode/build/downloads"))).toBe(true);
  expect(existsSync(installed.file(".build"))).toBe(false);
  expect(existsSync(installed.file("third_party/.sources"))).toBe(false);
});

it("a relative XDG_CACHE_HOME is ignored, as its specification wants", async () => {
  const { output } = await installed.run(
    `console.log((await import("./tools/setup/paths.mjs")).paths.cache);`,
    { XDG_CACHE_HOME: "cache", HOME: "/somewhere" },
  );
  expect(output).toBe("/somewhere/.cache/infernode\n");
});
