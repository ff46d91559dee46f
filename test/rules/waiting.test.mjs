// Tests of this repository wait by the clock in the listed places only, and the rule sees others.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { trackedFiles } from "../../tools/rules/files.mjs";
import { waitingFindings } from "../../tools/rules/waiting.mjs";

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "infernode-waits-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function findings(name, text, list = new Map()) {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), text);
  return waitingFindings(folder, [name], list).join("\n");
}

it("this repository keeps its list", () => {
  const root = path.resolve(import.meta.dirname, "../..");
  expect(waitingFindings(root, trackedFiles(root))).toEqual([]);
});

it.each([
  ["test/a.test.ts", "await new Promise((resolve) => setTimeout(resolve, 5));"],
  ["test/a.test.ts", "await sleep(5);"],
  ["test/a.py", "time.sleep(1)"],
  ["test/native/a_test.cpp", "std::this_thread::sleep_for(kLong);"],
  ["native/core/a.cpp", "std::this_thread::sleep_for(kLong);"],
])("refuses a wait in %s: %s", (name, text) => {
  expect(findings(name, text)).toContain("waits by the clock in 1 places, 0 are listed");
});

it.each([
  ["test/a.test.ts", "// setTimeout(f, 5)\nvi.useFakeTimers();"],
  ["src/a.ts", "setTimeout(f, 5);"],
])("lets pass in %s: %s", (name, text) => {
  expect(findings(name, text)).toBe("");
});

it("refuses a list that says more than there is", () => {
  const list = new Map([["test/a.test.ts", [2, "why"]]]);
  expect(findings("test/a.test.ts", "await sleep(5);", list)).toContain("lists 2 waits of test/a.test.ts");
});
