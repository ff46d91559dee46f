// Native code, its tests and build, the rules and the decisions keep the field's words: the rule
// finds each withdrawn one and names another.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { trackedFiles } from "../../tools/rules/files.mjs";
import { wordFindings } from "../../tools/rules/words.mjs";

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "infernode-words-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function findings(text, name = "native/core/a.cpp") {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), text);
  return wordFindings(folder, [name]);
}

it("this repository uses none of the withdrawn words where they are judged", () => {
  const root = path.resolve(import.meta.dirname, "../..");
  const files = trackedFiles(root);
  for (const [start, least] of [
    ["native/", 200],
    ["test/native/", 50],
    ["cmake/", 1],
    ["tools/rules/", 5],
    ["docs/decisions/", 50],
  ]) {
    expect(files.filter((file) => file.startsWith(start)).length, start).toBeGreaterThan(least);
  }
  expect(wordFindings(root, files)).toEqual([]);
});

it.each([
  ["bool cuts = true;", "cuts", "can_truncate"],
  ["cache.take_back(row);", "take_back", "roll_back"],
  ["std::vector<Request*> siblings_;", "siblings_", "forks"],
  ["Guesser guesser;", "Guesser", "draft"],
  ["case Stage::kSetAside:", "kSetAside", "kSwapped"],
  ["tell_prompts();", "tell_prompts", "score"],
  ["// States that cannot be cut.", "cannot be cut", "be truncated"],
  ['throw Error("nothing can be cut from it");', "be cut", "be truncated"],
  ['throw Error("a model that can take back rows");', "take back", "roll back"],
  ['throw Error("the model it guesses for");', "guesses for", "draft"],
  ["must_take_back(engine);", "must_take_back", "roll_back"],
  ["// A request that is set aside.", "set aside", "swapped out"],
  ["// What comes true is kept.", "comes true", "accepted"],
  ["// It loses its place.", "loses its place", "preempted"],
  ["// Requests that begin alike.", "begin alike", "prefix"],
  ["// Whoever asks.", "Whoever", "by its name"],
  ['throw Error("nobody reads it");', "nobody", "by its name"],
])("refuses: %s", (text, words, instead) => {
  const [finding] = findings(`// a\n${text}\n`);
  expect(finding).toMatch(/^native\/core\/a\.cpp:2: /);
  expect(finding).toContain(`says "${words}"; write instead: `);
  expect(finding.split("write instead: ")[1]).toContain(instead);
});

it("finds a phrase that two lines of a comment divide", () => {
  expect(findings("// a request that was set\n// aside\n")).toEqual([
    'native/core/a.cpp:1: says "set aside"; write instead: swapped out, preempted',
  ]);
});

it("reads the READMEs of native too", () => {
  expect(findings("Everybody waits.\n", "native/core/README.md")).toHaveLength(1);
});

it.each([
  ["an identifier's word in a comment", "// It cuts the range in two. Given a row, the token.\n"],
  ["a longer identifier", "bool cuts_rows(); float guess = lowest;\n"],
])("lets pass %s", (_, text) => {
  expect(findings(text)).toEqual([]);
});

it.each([
  ["test/native/a_test.cpp", "// Nobody reads it.\n"],
  ["cmake/A.cmake", "# a request that was set\n# aside\n"],
  ["tools/rules/a.mjs", "// Whoever asks.\n"],
  ["docs/decisions/0001-a.md", "a request that was set\naside\n"],
])("judges %s", (name, text) => {
  expect(findings(text, name)).toHaveLength(1);
});

it.each(["src/a.h", "tools/rules/words.mjs", "tools/a.mjs", "test/rules/a.test.mjs"])(
  "does not judge %s",
  (name) => {
    expect(findings("// nobody\n", name)).toEqual([]);
  },
);
