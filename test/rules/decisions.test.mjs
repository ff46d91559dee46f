// A decision record opens with its title, its date and what was decided.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { decisionFindings } from "../../tools/rules/decisions.mjs";
import { trackedFiles } from "../../tools/rules/files.mjs";

const file = "docs/decisions/0007-a-name.md";
const title = "# 0007 A title";
const date = "2026-11-22 · accepted";
const decided = "**Decided.** Files are judged first.";

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "infernode-decisions-"));
  mkdirSync(path.join(folder, "docs/decisions"), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function findings(...paragraphs) {
  writeFileSync(path.join(folder, file), `${paragraphs.join("\n\n")}\n`);
  return decisionFindings(folder, [file]);
}

it("this repository's records say what was decided", () => {
  const root = path.resolve(import.meta.dirname, "../..");
  const files = trackedFiles(root);
  expect(files.filter((name) => name.startsWith("docs/decisions/")).length).toBeGreaterThan(50);
  expect(decisionFindings(root, files)).toEqual([]);
});

it("accepts title, date and decision, and whatever follows", () => {
  expect(findings(title, date, decided, "**Why.** They crash.")).toEqual([]);
  expect(findings(title, `${date}; 0020 adds a layout`, decided)).toEqual([]);
});

it.each([
  ["no decision", [title, date], ":5: expected what was decided"],
  ["the reason comes first", [title, date, "**Why.** They crash.", decided], ":5: expected what was decided"],
  ["an empty decision", [title, date, "**Decided.** "], ":5: expected what was decided"],
  ["the decision is not a paragraph of its own", [title, `${date}\n${decided}`], ":3: expected the date"],
  ["no date", [title, decided], ":3: expected the date"],
  ["a date without a state", [title, "2026-11-22", decided], ":3: expected the date"],
  ["another record's number", ["# 0008 A title", date, decided], ":1: expected the title"],
  ["a colon after the number", ["# 0007: A title", date, decided], ":1: expected the title"],
  ["nothing", [""], ":1: expected the title"],
])("refuses: %s", (_, paragraphs, sentence) => {
  expect(findings(...paragraphs)).toEqual([expect.stringContaining(file + sentence)]);
});

it("refuses a number that another record has", () => {
  findings(title, date, decided);
  const second = "docs/decisions/0007-another-name.md";
  writeFileSync(path.join(folder, second), `${title}\n\n${date}\n\n${decided}\n`);
  expect(decisionFindings(folder, [file, second])).toEqual([
    `${second}:1: ${file} has this number already; take a free one`,
  ]);
});

it("judges records only", () => {
  expect(decisionFindings(folder, ["docs/decisions/README.md", "docs/0007-a-guide.md", "README.md"])).toEqual(
    [],
  );
});
