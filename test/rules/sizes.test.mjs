// Sizes of TypeScript and JavaScript, by the Biome rules of biome.json: they hold for this
// repository, and each refuses what it is there to refuse.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
const biome = path.join(root, "node_modules/@biomejs/biome/bin/biome");
const rules = ["complexity/noExcessiveLinesPerFunction", "style/noExcessiveLinesPerFile"];

function lint(folder, ...places) {
  const only = rules.map((rule) => `--only=${rule}`);
  const args = [biome, "lint", "--max-diagnostics=none", "--reporter=github", ...only, ...places];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  // --only tells of a rule that is off, too, as a notice.
  const errors = stdout.split("\n").filter((line) => line.startsWith("::error"));
  return { status, errors, output: stdout + stderr };
}

const lines = (count, text) => `${text}\n`.repeat(count);
const folder = mkdtempSync(path.join(os.tmpdir(), "infernode-sizes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tooLong = {
  "src/file.ts": `// a\n${lines(400, "g();")}`,
  "tools/file.mjs": `// a\n${lines(400, "g();")}`,
  "test/file.test.ts": `// a\n${lines(400, "g();")}`,
  "src/function.ts": `// a\nexport function f() {\n${lines(59, "  g();")}}\n`,
  "src/arrow.ts": `// a\nexport const f = () => {\n${lines(59, "  g();")}};\n`,
  "src/method.ts": `// a\nexport class A {\n  f() {\n${lines(59, "    g();")}  }\n}\n`,
  "test/helpers/function.ts": `// a\nexport function f() {\n${lines(59, "  g();")}}\n`,
};
const longEnough = {
  "src/whole.ts": `// a\n${lines(399, "g();")}`,
  "src/sixty.ts": `// a\nexport function f() {\n${lines(58, "  g();")}}\n`,
  "src/short-methods.ts": `// a\nexport class A {\n${lines(40, "  f() {\n    g();\n  }")}}\n`,
  "test/chapter.test.ts": `// a\ndescribe("a", () => {\n${lines(100, '  it("b", () => {});')}});\n`,
};

let found;
beforeAll(() => {
  for (const [name, text] of Object.entries({ ...tooLong, ...longEnough })) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  copyFileSync(path.join(root, "biome.json"), path.join(folder, "biome.json"));
  found = lint(folder, ".");
}, 30_000);

// The rest of it is looked at by `npm run lint`.
it("src and tools keep the sizes", () => {
  const { status, errors, output } = lint(root, "src", "tools");
  expect(errors, output).toEqual([]);
  expect(status).toBe(0);
});

it.each(Object.keys(tooLong))("refuses 401 lines of a file, 61 of a function: %s", (file) => {
  expect(found.status).toBe(1);
  expect(found.errors.join("\n")).toMatch(new RegExp(`${file}.* has too many lines`));
});

// A describe() is a chapter of tests, which Biome takes for a function.
it.each(Object.keys(longEnough))("lets pass: %s", (file) => {
  expect(found.errors.join("\n")).not.toContain(file);
});
