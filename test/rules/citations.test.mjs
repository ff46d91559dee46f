// Comments of native code cite functions and files that exist, and the rule sees those that do not.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { citationFindings } from "../../tools/rules/citations.mjs";
import { trackedFiles } from "../../tools/rules/files.mjs";

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "infernode-citations-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const model = "// m\nclass Model {\n public:\n  void load();\n  struct Part { int size; };\n};\n";

function findings(comment) {
  const files = { "native/model/model.h": model, "native/model/a.cpp": `// a\n${comment}\n` };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return citationFindings(folder, Object.keys(files));
}

it("this repository's native comments cite what exists", () => {
  const root = path.resolve(import.meta.dirname, "../..");
  expect(citationFindings(root, trackedFiles(root))).toEqual([]);
});

it.each([
  ["// Throws as Model::tokenize() does.", "cites Model::tokenize, which does not exist"],
  ["int a;  // as Model::tokenize() does", "cites Model::tokenize, which does not exist"],
  ["// As Part::bytes.", "cites Part::bytes, which does not exist"],
  ["// See native/model/gone.h.", "cites the file native/model/gone.h, which does not exist"],
])("refuses: %s", (comment, sentence) => {
  expect(findings(comment)).toEqual([`native/model/a.cpp:2: ${sentence}`]);
});

it.each([
  ["a member", "// Throws as Model::load() does."],
  ["a member of a class in a class", "// As Part::size."],
  ["a definition outside the class", "void Model::more() {}  // as Model::more() does"],
  ["a class of another project", "// As llama_model::load() and Foreign::call() do."],
  ["a file that exists", "// See native/model/model.h."],
  ["a file of another project", "// See ggml/src/native/model.cpp."],
  ["code and literals", 'call("native/model/gone.h", Model::load);'],
])("lets pass %s", (_, comment) => {
  expect(findings(comment)).toEqual([]);
});
