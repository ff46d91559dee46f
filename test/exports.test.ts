// What the addon shows to other libraries in the process: the two functions
// Node looks up, and nothing of llama.cpp or the C++ library in it.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const addon = join(fileURLToPath(new URL("..", import.meta.url)), "build/Release/infernode.node");

it.runIf(process.platform === "linux")("the addon exports what Node looks up and nothing else", () => {
  const listed = execFileSync("nm", ["-D", "--defined-only", "--format=posix", addon], { encoding: "utf8" });
  const names = listed
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[0]);
  expect(names.sort()).toEqual(["napi_register_module_v1", "node_api_module_get_api_version_v1"]);
});
