// Links of all Markdown files lead somewhere, those of published files into the package.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { anchorsOf, brokenLinks, linksOf, markdownFiles } from "../../tools/docs/links.mjs";
import { kMainFiles } from "../../tools/package/manifests.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const files = markdownFiles(root);

// README names the page of those who have a clone.
const kOfClones = [];

const isIn = (names) => (file) => names.some((name) => file === name || file.startsWith(`${name}/`));
const isPublished = isIn(kMainFiles);

it("finds the Markdown files", () => {
  expect(files).toEqual(
    expect.arrayContaining(["README.md", "docs/options.md", "docs/decisions/0001-dependencies.md"]),
  );
});

it.each(files)("the links of %s lead somewhere", (file) => {
  const isShipped = isPublished(file) ? isIn([...kMainFiles, ...kOfClones]) : undefined;
  expect(brokenLinks(root, file, isShipped)).toEqual([]);
});

it("tells a link without a file, without a heading, and out of the package", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "infernode-links-"));
  try {
    writeFileSync(
      path.join(folder, "a.md"),
      "# One `two`\n\n[x](b.md#three) [y](c.md) [z](#one-two) [w](b.md)\n",
    );
    writeFileSync(path.join(folder, "b.md"), "# Four\n");
    expect(brokenLinks(folder, "a.md", (file) => file === "a.md" || file === "b.md")).toEqual([
      "a.md:3: b.md#three has no such heading",
      "a.md:3: c.md does not exist",
    ]);
    expect(brokenLinks(folder, "a.md", (file) => file === "a.md")).toContain(
      "a.md:3: b.md is not in the package, which this file is in",
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("knows links from code, and headings from comments in code", () => {
  const text = "# A b\n## A b\n`[no](x.md)` [yes](<y.md>)\n```sh\n# no heading\n[no](z.md)\n```\n[r]: w.md\n";
  expect(linksOf(text).map(({ target }) => target)).toEqual(["y.md", "w.md"]);
  expect([...anchorsOf(text)]).toEqual(["a-b", "a-b-1"]);
});
