// The rule on the size of native's classes: it holds for this repository, and refuses what it is
// there to refuse.
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { classFindings } from "../../tools/rules/classes.mjs";
import { textFiles, trackedFiles } from "../../tools/rules/files.mjs";

const root = path.resolve(import.meta.dirname, "../..");

const lines = (count, text) => `${text}\n`.repeat(count);
const header = (body) => `#pragma once\nnamespace infernode {\n\nclass Cook {\n${body}};\n\n}\n`;
const source = (count, head = "void Cook::stir()") =>
  `namespace infernode {\n\n${head} {\n${lines(count, "  stir();")}}\n\n}\n`;
const found = (files) => classFindings(new Map(Object.entries(files)));

it("every class of native keeps the sizes", () => {
  const names = textFiles(root, trackedFiles(root));
  const texts = new Map(names.map((name) => [name, readFileSync(path.join(root, name), "utf8")]));
  expect(classFindings(texts)).toEqual([]);
});

it("counts a class in all its files, however many they are", () => {
  const files = {
    "native/core/cook.h": header(lines(20, "  void stir();")),
    "native/core/cook.cpp": source(200),
    "native/core/cook_failures.cpp": source(200),
  };
  expect(found(files)).toEqual([
    expect.stringMatching(
      /^native\/core\/cook\.h:4: Cook has 4\d\d lines with cook\.cpp, cook_failures\.cpp, more than 400$/,
    ),
  ]);
  delete files["native/core/cook_failures.cpp"];
  expect(found(files)).toEqual([]);
});

it.each([
  ["a constructor", "Cook::Cook()"],
  ["an operator", "bool Cook::operator==(const Cook& other) const"],
  ["a function of a nested class", "void Cook::Spoon::stir()"],
  ["a function with a long return type", `std::vector<std::pair<${"int, ".repeat(20)}int>> Cook::stir()`],
])("takes for the class's own: %s", (_, head) => {
  const files = { "native/core/cook.h": header("  Cook();\n"), "native/core/cook.cpp": source(400, head) };
  expect(found(files)).toHaveLength(1);
});

it.each([
  ["a type of the class that is returned", "Cook::Spoon stir()"],
  ["an argument", "void stir(const Cook::Spoon& spoon)"],
  ["a class whose name ends alike", "void Precook::stir()"],
])("takes for somebody else's: %s", (_, head) => {
  const files = { "native/core/cook.h": header("  Cook();\n"), "native/core/cook.cpp": source(400, head) };
  expect(found(files)).toEqual([]);
});

it("refuses 21 private functions, and counts no others", () => {
  const functions = (count) => lines(count, "  [[nodiscard]] bool stir(int spoon);");
  const body = (count) =>
    `${" public:\n"}${functions(30)} private:\n  struct Spoon {\n${lines(5, "    void bend();")}  };\n` +
    `${functions(count - 1)}  int spoons() const { return count(spoons_); }\n` +
    "  std::function<int(int)> spoons_;\n  int least_ = best(1);\n";
  expect(found({ "native/core/cook.h": header(body(20)) })).toEqual([]);
  expect(found({ "native/core/cook.h": header(body(21)) })).toEqual([
    "native/core/cook.h:4: Cook has 21 private functions, more than 20",
  ]);
});
