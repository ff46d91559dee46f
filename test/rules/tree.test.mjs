// ARCHITECTURE.md's tree is compared with the real one, both ways.
import path from "node:path";
import { expect, it } from "vitest";
import { packagesOf, parseTree, readDocument } from "../../tools/rules/document.mjs";
import { trackedFiles } from "../../tools/rules/files.mjs";
import { kSpine } from "../../tools/rules/includes.mjs";
import { treeFindings } from "../../tools/rules/tree.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const document = readDocument(root);
const files = trackedFiles(root);
const packages = packagesOf(root);
const broken = (text, paths = files) => treeFindings(text, paths, packages).join("\n");

it("this repository is drawn as it is", () => {
  expect(treeFindings(document, files, packages)).toEqual([]);
});

// Each is taken out of the document or put into the repository.
const rooms = [
  "native/core/scheduling/mailbox.h",
  "native/model/page_cache.cpp",
  "native/napi/reporting_call.h",
  "src/errors.ts",
];
it.each(rooms)("refuses: %s exists and is not named", (file) => {
  const room = path.basename(file).replace(/\..*/, "");
  const without = document.replace(new RegExp(`(^|[ \`])${room}(?= |$)`, "m"), "$1");
  expect(without).not.toBe(document);
  expect(broken(without)).toContain(`does not name ${path.dirname(file)}/${room}`);
});

it.each([
  ["a new room of native", "native/chat/new_room.cpp", "does not name native/chat/new_room"],
  [
    "a new chapter of a room",
    "native/core/cache/kv_cache_more.cpp",
    "does not name native/core/cache/kv_cache_more",
  ],
  ["a new file of src", "src/stray.ts", "does not name src/stray"],
  ["a new folder of src", "src/images/decode.ts", "does not name the folder src/images"],
  ["a new folder in a folder of src", "src/cli/images/decode.ts", "does not name the folder src/cli/images"],
  [
    "a new folder of the core",
    "native/core/images/decode.cpp",
    "does not name the folder native/core/images",
  ],
  ["a new folder of native", "native/images/decode.cpp", "does not name the folder native/images"],
  ["a new folder at the top", "images/decode.py", "does not name the folder images"],
])("refuses: %s is not named", (_, file, sentence) => {
  expect(broken(document, [...files, file])).toContain(sentence);
});

it.each([
  [
    "a room of native",
    "native/core/scheduling/mailbox.h",
    "names native/core/scheduling/mailbox, which does not exist",
  ],
  [
    "a room within braces",
    "native/core/grammar/grammar_graph.",
    "names native/core/grammar/grammar_graph, which",
  ],
  ["a file of src", "src/thrown.ts", "names src/thrown, which does not exist"],
  ["a folder of src", "src/bench/", "names the folder src/bench, which does not exist"],
  ["a folder at the top", "docker/", "names the folder docker, which does not exist"],
  ["a decision", "docs/decisions/0050", "cites decision 0050, which does not exist"],
])("refuses: %s is named and does not exist", (_, gone, sentence) => {
  const left = files.filter((file) => !file.startsWith(gone));
  expect(left.length).toBeLessThan(files.length);
  expect(broken(document, left)).toContain(sentence);
});

it("refuses a room and a folder that are named twice", () => {
  expect(broken(document.replace("  request: request", "  request: mailbox · request"))).toContain(
    "names native/core/scheduling/mailbox again",
  );
  expect(broken(document.replace("docker/: ", "docker/: a\ndocker/: "))).toContain(
    "names the folder docker again",
  );
});

it("refuses imports of what does not exist", () => {
  const text = document.replace("  chat/: ", "  chat/: → nothing-such, ");
  expect(broken(text)).toContain(
    "lets chat/ import nothing-such, which is no group, folder, file or package",
  );
  expect(treeFindings(document, files, new Set()).join("\n")).toContain("import commander, which is no");
  const left = files.filter((file) => file !== "src/engine/judge.ts");
  expect(broken(document, left)).toContain("lets bench/ import engine/judge, which is no");
});

const block = (text) => `## The tree\n\`\`\`\n${text}\n\`\`\`\n`;

it("reads braces, remarks, lines that go on, and what files may import", () => {
  const tree = parseTree(
    block("src/: prose\n  a b: one · two{,_x,_y} (0004, one)\n    three → zod, log\n  c/: prose"),
  );
  expect(tree).toEqual([
    {
      folder: "src",
      line: 3,
      lines: [
        { name: "a b", line: 4, names: ["one", "two", "two_x", "two_y", "three"], imports: ["zod", "log"] },
        { name: "c/", line: 6, names: [], imports: [] },
      ],
    },
  ]);
});

it.each([
  ["no colon", block("src/: prose\n  errors thrown"), "ARCHITECTURE.md:4: expected"],
  ["a folder without its slash", block("src: prose"), 'ARCHITECTURE.md:3: a folder ends in "/": src'],
  ["a topic of no folder", block("  values: types"), 'ARCHITECTURE.md:3: "values" stands below no folder'],
  ["no block", "## The tree\nprose\n", 'expected a code block below a heading "## The tree"'],
])("refuses a tree that cannot be read: %s", (_, text, sentence) => {
  expect(() => parseTree(text)).toThrow(sentence);
});

it("the order of the core's rooms is the one that the rules check", () => {
  expect(document.replace(/\s+/g, " ")).toContain(kSpine.join(" ← "));
});
