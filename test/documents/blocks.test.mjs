// Code blocks of documents: found whole, with what the comment above says, or refused by
// place; and what they say they print, held against what they print.
import { describe, expect, it } from "vitest";
import { blocksOf, brokenClaim, claimsOf } from "../../tools/documents/blocks.mjs";

const read = (...lines) => blocksOf(lines.join("\n"), "guide.md");

describe("blocksOf", () => {
  it("finds each block with its line, label and code, in lists too", () => {
    const blocks = read(
      "# Title",
      "```js",
      "one();",
      "```",
      "- item",
      "  ~~~~text",
      "  ```",
      "   two",
      "  ~~~~",
    );
    expect(blocks).toEqual([
      { file: "guide.md", line: 2, label: "js", kind: "run", code: "one();\n" },
      { file: "guide.md", line: 6, label: "text", kind: "shown", code: "```\n two\n" },
    ]);
  });

  it("reads the comment right above", () => {
    expect(read("<!-- not run: it compiles -->", "```sh", "make", "```")).toMatchObject([
      { notRun: "it compiles" },
    ]);
    expect(read("<!-- run after:", "const x = 1;", "-->", "```js", "x;", "```")).toMatchObject([
      { before: "const x = 1;", code: "x;\n" },
    ]);
    const [server] = read(
      "<!-- stays running while the next block runs -->",
      ...["```js", "serve();", "```", "text", "```sh", "curl", "```"],
    );
    expect(server).toMatchObject({ staysRunning: true });
  });

  it.each([
    ["a label it does not know", ["text", "```javascript", "```"], /guide\.md:2: a block is labelled/],
    ["no label", ["```", "```"], /guide\.md:1: a block is labelled/],
    ["no end", ["```js", "x"], /guide\.md:1: the block has no end/],
    ["a comment it does not know", ["<!-- skip -->", "```js", "```"], /guide\.md:2: the comment above/],
    ["a reason that is missing", ["<!-- not run: -->", "```js", "```"], /guide\.md:2: the comment above/],
    [
      "a server that nobody asks",
      ["<!-- stays running while the next block runs -->", "```js", "```"],
      /guide\.md:2: no block runs after/,
    ],
  ])("refuses %s", (_, lines, sentence) => {
    expect(() => read(...lines)).toThrow(sentence);
  });
});

describe("claims", () => {
  it("are what comments say is printed, in order", () => {
    const code = 'console.log(1); // prints 1\n// other\n// prints: "two", three\n';
    expect(claimsOf({ code, label: "js" })).toEqual(["1", '"two", three']);
    expect(claimsOf({ code: "echo x # prints x\n", label: "sh" })).toEqual(["x"]);
  });

  it("hold where the output has them in order, with anything at … and any white space", () => {
    expect(brokenClaim(["a … c", "d e"], "x a b\nc\nd\n  e")).toBeUndefined();
    expect(brokenClaim(["d", "a"], "a d")).toBe("a");
    expect(brokenClaim(["1.5"], "125")).toBe("1.5");
  });
});
