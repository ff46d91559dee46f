// The rules on single files: who may include whom in native, where the environment may be
// read, how long a file and a function of C++ may be (of TypeScript: biome.json).
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { textFiles, trackedFiles } from "./files.mjs";
import { includeFindings } from "./includes.mjs";
import { findFunctions, stripText } from "./source-text.mjs";

const kFileLines = 400;
const kFunctionLines = 60;

const cpp = new Set([".c", ".cpp", ".h", ".cu", ".cuh"]);
const scripts = new Set([".cmake", ".py", ".sh"]);
// Biome counts these itself.
const typescript = new Set([".ts", ".mjs", ".js"]);

// Registries belong to the machine's configuration, folders to the machine.
const forbiddenText = [
  [/registry\.(?:npmjs|yarnpkg|npmmirror)\.|npm\.pkg\.github/, "names a package registry's host"],
  [/(?:^|[\s"'=(:])\/(?:work|root|home\/\w+)\//m, "names a folder of one machine"],
];

// Only the command line, the worker's host, the addon's loader, which runs at import and has
// no caller to hand it a value, and the hub's settings, whose variables are Hugging Face's,
// may see these; everything else gets values.
const processFiles = /^src\/(?:cli\/|serverless\/host\.ts$|native-folder\.ts$|models\/hub-environment\.ts$)/;
const cliOnly = /\bprocess\s*\.\s*(?:env|argv)\b|\bprocess\s*\.\s*(?:on|once)\s*\(\s*["'`]SIG/;

// Functions of native headers that say how something went. Engine::step() may go unheard:
// a caller that steps an engine by hand knows what it has to do.
const outcome =
  /^[ \t]*(?:(?:virtual|static|inline|friend) )*(?:bool|std::optional<[^;()]*>) (?!step\()\w+\(/gm;

// A member that changes: neither const nor a reference. Members end in "_".
const mutableMember =
  /^ +(?!(?: |const |static |using |return |friend |constexpr ))[\w:<>, *]+ \w+_(?: = [^;]+|\{[^;]*\})?;/m;

// The same of a struct outside native/cpu, whose structs are registers and arguments of kernels.
// Nested structs belong to their class.
const structBody = /^struct \w+[^;{]*\{\n([\s\S]*?)^\};/gm;
const mutableField =
  /^ {2}(?!(?: |const |constexpr |static |using |return |friend |struct |enum ))[\w:<>, *]+ \w+(?: = [^;]+|\{[^;]*\})?;/m;

/** Sentences, and how many `files` were looked at: by default those of the repository. */
export function checkArchitecture(folder, tracked = trackedFiles(folder)) {
  const files = textFiles(folder, tracked);
  const findings = [];
  const compiled = compiledSources(folder);
  for (const file of files) {
    const text = readFileSync(path.join(folder, file), "utf8");
    const report = (line, sentence) => findings.push(`${file}:${line}: ${sentence}`);
    checkText(text, report);
    checkSize(file, text, report);
    for (const [line, sentence] of includeFindings(file, text)) report(line, sentence);
    if (file.startsWith("src/")) checkSource(file, text, report);
    if (/^native\/.*\.(?:c|cc|cpp|cu)$/.test(file) && !compiled.has(file)) {
      report(1, "is not in CMakeLists.txt, the only list of native sources");
    }
    if (/^native\/.*\.h$/.test(file)) {
      for (const { index } of text.matchAll(outcome))
        report(lineOf(text, index), "tells an outcome without [[nodiscard]]");
      checkThread(file, text, report);
    }
  }
  return { files: files.length, findings };
}

// A struct may also be of "values", which belong to the object that holds them.
function checkThread(file, text, report) {
  const [opening] = text.split("#pragma once");
  if (/\bthreads?\b/i.test(opening)) return;
  const code = stripText(text);
  if (mutableMember.test(code))
    report(1, "has a class that changes, and does not open by naming the thread that owns it");
  if (file.startsWith("native/cpu/") || /\bvalues?\b/i.test(opening)) return;
  for (const [, body] of code.matchAll(structBody)) {
    if (!mutableField.test(body)) continue;
    report(1, 'has a struct that changes, and does not open by naming its thread or "Values"');
    return;
  }
}

// The words of CMakeLists.txt outside comments and set_property(), which compiles nothing.
function compiledSources(folder) {
  const file = path.join(folder, "CMakeLists.txt");
  if (!existsSync(file)) return new Set();
  const code = readFileSync(file, "utf8")
    .replace(/"(?:[^"\\]|\\.)*"|#\[(=*)\[[\s\S]*?\]\1\]|#.*/g, (found) =>
      found.startsWith("#") ? " " : found,
    )
    .replace(/\bset_property\s*\([^)]*\)/g, " ");
  return new Set(code.split(/[\s"()]+/).map((word) => word.replace(/^\$\{PROJECT_SOURCE_DIR\}\//, "")));
}

function lineOf(text, at) {
  return text.slice(0, at).split("\n").length;
}

function checkText(text, report) {
  for (const [pattern, sentence] of forbiddenText) {
    const found = pattern.exec(text);
    if (found) report(lineOf(text, found.index), sentence);
  }
}

function checkSize(file, text, report) {
  const extension = path.extname(file);
  const counted = cpp.has(extension) || scripts.has(extension);
  if (!counted && !typescript.has(extension)) return;
  if (!/^(?:#!.*\n)?(?:\/\/|\/\*|#|""")/.test(text)) report(1, "does not open by saying what it is");
  const lines = text.split("\n").length - 1;
  if (counted && lines > kFileLines) report(1, `has ${lines} lines, more than ${kFileLines}`);
  if (!cpp.has(extension)) return;
  for (const { head, line, lines: length } of findFunctions(stripText(text))) {
    if (length > kFunctionLines)
      report(line, `has a function of ${length} lines, more than ${kFunctionLines}: ${head.slice(0, 60)}`);
  }
}

function checkSource(file, text, report) {
  const bare = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, " "));
  const found = cliOnly.exec(bare);
  if (found && !processFiles.test(file))
    report(lineOf(bare, found.index), "reads the environment, arguments or signals outside src/cli");
}
