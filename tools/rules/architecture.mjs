// The architecture as an executable check: who may include whom, where the
// environment may be read, how long a file and a function may be. Prints one
// line per broken rule and exits 1, or says what it has looked at.
//   node tools/rules/architecture.mjs [folder]
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { includeFindings } from "./includes.mjs";
import { findFunctions, stripText } from "./source-text.mjs";

const kFileLines = 400;
const kFunctionLines = 60;

const languages = {
  ".cpp": "cpp",
  ".h": "cpp",
  ".cu": "cpp",
  ".cuh": "cpp",
  ".ts": "ts",
  ".mjs": "ts",
  ".js": "ts",
};
const alsoMeasured = new Set([".cmake", ".py", ".sh"]);

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

// What the benchmark may import of the package: its public interface, errors and the judging of
// options. It measures engines and endpoints from outside, and only the command line runs it.
const benchMayImport =
  /^(?:\.\/[\w-]+\.js|\.\.\/(?:index|errors|thrown|package-root|engine\/judge)\.js|node:[\w/]+|zod|eventsource-parser)$/;

// Functions of native headers that say how something went. Engine::step() may go unheard:
// whoever steps an engine by hand knows what it has to do.
const outcome =
  /^[ \t]*(?:(?:virtual|static|inline|friend) )*(?:bool|std::optional<[^;()]*>) (?!step\()\w+\(/gm;

export function checkArchitecture(folder) {
  const files = listFiles(folder);
  const findings = [];
  const cmake = existsSync(path.join(folder, "CMakeLists.txt"))
    ? readFileSync(path.join(folder, "CMakeLists.txt"), "utf8")
    : "";
  for (const file of files) {
    const text = readFileSync(path.join(folder, file), "utf8");
    const report = (line, sentence) => findings.push(`${file}:${line}: ${sentence}`);
    checkText(text, report);
    checkSize(file, text, report);
    for (const [line, sentence] of includeFindings(file, text)) report(line, sentence);
    if (file.startsWith("src/")) checkSource(file, text, report);
    if (/^native\/.*\.cpp$/.test(file) && !cmake.includes(file)) {
      report(1, "is not in CMakeLists.txt, the only list of native sources");
    }
    if (/^native\/.*\.h$/.test(file)) {
      for (const { index } of text.matchAll(outcome))
        report(lineOf(text, index), "tells an outcome without [[nodiscard]]");
    }
  }
  return { files: files.length, findings };
}

// What git tracks or would track; outside a repository, everything.
function listFiles(folder) {
  const args = ["-C", folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const listed = execFileSync("git", args, { encoding: "utf8", maxBuffer: 1 << 26 })
    .split("\0")
    .filter(Boolean);
  return [...new Set(listed)].filter((file) => isText(path.join(folder, file))).sort();
}

function isText(file) {
  if (!existsSync(file) || !statSync(file).isFile() || statSync(file).size > 1 << 20) return false;
  return !readFileSync(file).subarray(0, 4096).includes(0);
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
  const language = languages[extension];
  if (!language && !alsoMeasured.has(extension)) return;
  const lines = text.split("\n").length - 1;
  if (lines > kFileLines) report(1, `has ${lines} lines, more than ${kFileLines}`);
  if (!/^(?:#!.*\n)?(?:\/\/|\/\*|#|""")/.test(text)) report(1, "does not open by saying what it is");
  if (!language) return;
  for (const { head, line, lines: length } of findFunctions(stripText(text, language))) {
    // A describe() is a chapter of tests, not a function.
    if (length > kFunctionLines && !/^(?:describe\w*|suite)\b/.test(head)) {
      report(line, `has a function of ${length} lines, more than ${kFunctionLines}: ${head}`);
    }
  }
}

function checkSource(file, text, report) {
  const inCli = file.startsWith("src/cli/");
  const bare = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, " "));
  const found = cliOnly.exec(bare);
  if (found && !processFiles.test(file))
    report(lineOf(bare, found.index), "reads the environment, arguments or signals outside src/cli");
  checkBench(file, bare, report);
  const upward = /from\s+["'](?:\.\.?\/)+cli\//.exec(bare);
  if (upward && !inCli) report(lineOf(bare, upward.index), "imports the command line from below it");
}

function checkBench(file, bare, report) {
  const inBench = file.startsWith("src/bench/");
  for (const { 1: module, index } of bare.matchAll(/(?:from\s+|import\s*\(?\s*)["']([^"']+)["']/g)) {
    if (inBench && !benchMayImport.test(module))
      report(lineOf(bare, index), `imports ${module}: the benchmark knows the public interface only`);
    if (!inBench && !file.startsWith("src/cli/") && /\/bench\//.test(module))
      report(lineOf(bare, index), "imports the benchmark, which only the command line runs");
  }
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { files, findings } = checkArchitecture(path.resolve(process.argv[2] ?? "."));
  for (const finding of findings) console.log(finding);
  console.log(
    findings.length === 0
      ? `architecture: ${files} files keep the rules`
      : `architecture: ${findings.length} broken`,
  );
  process.exitCode = findings.length === 0 ? 0 : 1;
}
