// The rules on single files hold for this repository, and each refuses what it is there to
// refuse.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkArchitecture } from "../../tools/rules/architecture.mjs";

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "infernode-rules-"));
  execFileSync("git", ["init", "--quiet", folder]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name, text) {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), text);
}

it("this repository keeps the rules", () => {
  const { files, findings } = checkArchitecture(path.resolve(import.meta.dirname, "../.."));
  expect(findings).toEqual([]);
  expect(files).toBeGreaterThan(50);
});

const lines = (count, text) => `${text}\n`.repeat(count);

it.each([
  [
    "the core includes another library",
    "native/core/types.h",
    "// t\n#include <unistd.h>\n",
    "standard library only",
  ],
  ["the core looks up", "native/core/scheduling/request.h", '// r\n#include "scheduler.h"\n', "stands above"],
  ["a leaf knows the engine", "native/core/scheduling/mailbox.h", '// m\n#include "engine.h"\n', "a leaf"],
  ["the core sees the model", "native/core/engine.h", '// e\n#include "model/gguf_file.h"\n', "never sees"],
  ["the model sees Node", "native/model/gguf_file.h", "// g\n#include <napi.h>\n", "outside native/napi"],
  [
    "the addon sees llama.cpp",
    "native/napi/convert.h",
    '// c\n#include "llama.h"\n',
    "outside native/model/llama_*",
  ],
  ["a source is not in CMakeLists.txt", "native/core/stray.cpp", "// s\n", "not in CMakeLists.txt"],
  ["a C source is not in CMakeLists.txt", "native/cpu/stray.c", "// s\n", "not in CMakeLists.txt"],
  ["a C file is long", "native/cpu/stray.c", lines(401, "// s"), "has 401 lines"],
  [
    "the environment is read in the engine",
    "src/engine/a.ts",
    "// a\nconst x = process.env.X;\n",
    "outside src/cli",
  ],
  ["the hub's client reads the environment", "src/models/hub/a.ts", "// a\nprocess.env.X;\n", "outside src"],
  [
    "a signal is caught in the engine",
    "src/engine/a.ts",
    "// a\nprocess.on('SIGINT', f);\n",
    "outside src/cli",
  ],
  ["a C++ file is long", "native/core/types.h", lines(401, "// t"), "has 401 lines"],
  ["a script is long", "tools/a.sh", lines(401, "# a"), "has 401 lines"],
  [
    "a C++ function is long",
    "native/core/types.cpp",
    `// t\nint f(int a) const {\n${lines(60, "  g();")}}\n`,
    "a function of 62 lines",
  ],
  [
    "a class that changes names no thread",
    "native/core/types.h",
    "// t\n#pragma once\nclass A {\n  std::vector<int> rows_;\n};\n",
    "naming the thread",
  ],
  [
    "a struct that changes names neither a thread nor values",
    "native/core/types.h",
    "// t\n#pragma once\nstruct A {\n  std::size_t rows = 0;\n};\n",
    "naming its thread",
  ],
  ["a file does not say what it is", "src/a.ts", "export const a = 1;\n", "does not open by saying"],
  ["a file names a registry", "a.json", `{ "a": "https://${"registry"}.npmjs.org/a" }\n`, "registry"],
  ["a file names a machine's folder", "a.txt", `see /${"work"}/main/a\n`, "folder of one machine"],
])("refuses: %s", (_, name, text, sentence) => {
  write(name, text);
  expect(checkArchitecture(folder).findings.join("\n")).toContain(sentence);
});

it.each([
  ["a long function in a comment", "native/core/types.h", `/*\nint f() {\n${lines(70, "g();")}}\n*/\n`],
  ["the hub's variables", "src/models/hub-environment.ts", "// h\nconst x = process.env.HF_TOKEN;\n"],
  ["the environment in a comment", "src/engine/a.ts", "// process.env is the command line's\n"],
  [
    "braces in strings and characters",
    "native/core/types.h",
    `// t\nconst char* a = "f() {"; char b = '{'; const char* c = R"(g() {)";\n${lines(70, "int x;")}`,
  ],
  [
    "a class of many short functions",
    "native/core/types.h",
    `// t\nclass A {\n${lines(40, "  void f() {\n  }")}};\n`,
  ],
  [
    "a class whose members are const",
    "native/core/types.h",
    "// t\n#pragma once\nclass A {\n  const int rows_ = 2;\n  Engine& engine_;\n};\n",
  ],
  [
    "a struct of values",
    "native/core/types.h",
    "// Values only.\n#pragma once\nstruct A {\n  std::size_t rows = 0;\n};\n",
  ],
  [
    "a struct without fields whose functions have variables",
    "native/core/types.h",
    "// t\n#pragma once\nstruct A {\n  int f() {\n    int a = 1;\n    return a;\n  }\n};\n",
  ],
])("lets pass: %s", (_, name, text) => {
  write(name, text);
  expect(checkArchitecture(folder).findings).toEqual([]);
});

it("refuses an outcome that may be ignored, in a native header", () => {
  write("native/core/backend.h", "// b\nclass B {\n  virtual bool cut(int from) = 0;\n};\n");
  expect(checkArchitecture(folder).findings).toEqual([
    "native/core/backend.h:3: tells an outcome without [[nodiscard]]",
  ]);
});

it.each([
  ["in a comment", "set(a\n  # native/core/a.cpp\n)\n"],
  ["in a comment behind a quoted #", 'set(a "#" b.cpp) # native/core/a.cpp\n'],
  ["in a bracket comment", "set(a\n#[=[\n  native/core/a.cpp\n]=]\n)\n"],
  ["as a part of another name", "set(a native/core/a.cpp.in old/native/core/a.cpp)\n"],
  ["for a property only", "set_property(SOURCE native/core/a.cpp PROPERTY COMPILE_OPTIONS -mavx2)\n"],
])("refuses a source that CMakeLists.txt names %s", (_, cmake) => {
  write("CMakeLists.txt", cmake);
  write("native/core/a.cpp", "// a\n");
  expect(checkArchitecture(folder).findings).toEqual([
    "native/core/a.cpp:1: is not in CMakeLists.txt, the only list of native sources",
  ]);
});

it.each([
  ["native/core/a.cpp", "set(a # those of the core\n  native/core/a.cpp)\n"],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: CMake's own variable
  ["native/cpu/a.c", 'set(a "${PROJECT_SOURCE_DIR}/native/cpu/a.c")\n'],
])("lets pass %s, which CMakeLists.txt compiles", (name, cmake) => {
  write("CMakeLists.txt", cmake);
  write(name, "// a\n");
  expect(checkArchitecture(folder).findings).toEqual([]);
});
