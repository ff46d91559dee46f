// Tests of this repository wait by the clock in the listed places only, native code reads the clock
// and uses the environment in the listed files only, and the rules see others.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { trackedFiles } from "../../tools/rules/files.mjs";
import { clockFindings, environmentFindings, waitingFindings } from "../../tools/rules/waiting.mjs";

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "infernode-waits-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function findings(name, text, list = new Map(), rule = waitingFindings) {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), text);
  return rule(folder, [name], list).join("\n");
}

const ofEnvironment = (name, text, list) => findings(name, text, list, environmentFindings);
const ofClocks = (name, text, list) => findings(name, text, list, clockFindings);

it("this repository keeps its lists", () => {
  const root = path.resolve(import.meta.dirname, "../..");
  expect(waitingFindings(root, trackedFiles(root))).toEqual([]);
  expect(clockFindings(root, trackedFiles(root))).toEqual([]);
  expect(environmentFindings(root, trackedFiles(root))).toEqual([]);
});

it.each([
  ["test/a.test.ts", "await new Promise((resolve) => setTimeout(resolve, 5));"],
  ["test/a.test.ts", "await sleep(5);"],
  ["test/a.py", "time.sleep(1)"],
  ["test/native/a_test.cpp", "std::this_thread::sleep_for(kLong);"],
  ["native/core/a.cpp", "std::this_thread::sleep_for(kLong);"],
  ["test/native/a_test.cpp", "done.wait_for(kLong);"],
  ["native/core/a.cpp", "changed_->wait_until(lock, end);"],
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

it.each([
  ["native/core/a.cpp", "const auto now = std::chrono::steady_clock::now();"],
  ["native/core/a.h", "using Clock = std::chrono::steady_clock;"],
  ["native/cpu/a.c", "clock_gettime(CLOCK_MONOTONIC, &time);"],
  ["native/model/a.cpp", "const int64_t start = ggml_time_us();"],
  ["test/native/a_test.cpp", "const auto now = std::chrono::system_clock::now();"],
])("refuses a clock in %s: %s", (name, text) => {
  expect(ofClocks(name, text)).toContain(`${name}: reads a clock and is not listed`);
});

it.each([
  ["native/core/a.cpp", "// steady_clock is the addon's\nconst double now = clock_();"],
  ["test/native/a_bench.cpp", "const auto now = std::chrono::steady_clock::now();"],
])("lets pass in %s: %s", (name, text) => {
  expect(ofClocks(name, text)).toBe("");
});

it.each([
  ["native/napi/a.cpp", 'setenv("GGML_NO_BACKTRACE", "1", 0);'],
  ["native/core/a.h", 'const char* value = std::getenv("HOME");'],
  ["native/cpu/a.c", "extern char** environ;"],
  ["test/native/a_test.cpp", 'unsetenv("HOME");'],
])("refuses the environment in %s: %s", (name, text) => {
  expect(ofEnvironment(name, text)).toContain(`${name}: uses the environment and is not listed`);
});

it("lets a comment name the environment, and refuses a list that names a file without it", () => {
  expect(ofEnvironment("native/core/a.cpp", "// getenv() is the caller's\nint a = 1;")).toBe("");
  const list = new Map([["native/core/a.cpp", "why"]]);
  expect(ofEnvironment("native/core/a.cpp", "// nothing", list)).toContain(
    "lists native/core/a.cpp as using",
  );
});

it("refuses a list of clocks that names a file without one", () => {
  const list = new Map([["native/core/a.cpp", "why"]]);
  expect(ofClocks("native/core/a.cpp", "// nothing", list)).toContain("lists native/core/a.cpp as reading");
});
