// `npm run lint` and `npm run format`: biome for TypeScript, clang-format and
// clang-tidy for the native code where they are installed. A tool that is
// missing is skipped loudly, and is a failure with INFERNODE_LINT_ALL=1.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { clangTidyProgram } from "./clang-tidy.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const compileCommands = path.join(root, ".build/release");
const write = process.argv.includes("--write");

function nativeFiles(...endings) {
  const patterns = ["native", "test/native"].flatMap((folder) =>
    endings.map((ending) => `${folder}/*.${ending}`),
  );
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "--", ...patterns];
  const listed = execFileSync("git", args, { cwd: root, encoding: "utf8" }).split("\n").filter(Boolean);
  return listed.filter((file) => existsSync(path.join(root, file)));
}

function runTool(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    child.stderr.on("data", (text) => {
      output += text;
    });
    child.on("error", (error) =>
      resolve({ missing: error.code === "ENOENT", ok: false, output: error.message }),
    );
    child.on("close", (code) => resolve({ missing: false, ok: code === 0, output }));
  });
}

function report(name, result) {
  if (result.missing) {
    console.log(`lint: ${name} is not installed, its checks are SKIPPED`);
    return process.env.INFERNODE_LINT_ALL !== "1";
  }
  console.log(`lint: ${name} ${result.ok ? "clean" : "has findings"}`);
  if (!result.ok) console.log(result.output);
  return result.ok;
}

async function biome() {
  const program = path.join(root, "node_modules/@biomejs/biome/bin/biome");
  const args = write ? ["check", "--write"] : ["check", "--error-on-warnings"];
  return report("biome", await runTool(process.execPath, [program, ...args, "."]));
}

async function clangFormat() {
  const files = nativeFiles("c", "cpp", "h");
  if (files.length === 0) return true;
  const args = write ? ["-i"] : ["--dry-run", "--Werror"];
  return report("clang-format", await runTool("clang-format", [...args, ...files]));
}

// One process per file, as many at once as there are cores.
async function clangTidy() {
  if (write) return true;
  const database = path.join(compileCommands, "compile_commands.json");
  if (!existsSync(database))
    return report("clang-tidy", { ok: false, output: "run `npm test` first: it reads the build's commands" });
  // Benchmarks are built by hand and not in the build's list of commands.
  const built = new Set(JSON.parse(readFileSync(database, "utf8")).map((entry) => entry.file));
  const queue = nativeFiles("cpp").filter((file) => built.has(path.join(root, file)));
  // The commands are the compiler's, which may know warnings clang does not.
  // libstdc++ 12 calls inside its headers what clang knows to be deprecated.
  const extra = ["-Wno-unknown-warning-option", "-Wno-deprecated-declarations"];
  const args = ["-p", compileCommands, "--quiet", ...extra.map((flag) => `--extra-arg=${flag}`)];
  const program = await clangTidyProgram();
  const results = [];
  const worker = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      results.push(await runTool(program, [...args, file]));
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
  const output = results.filter((result) => !result.ok).map((result) => result.output);
  return report("clang-tidy", {
    missing: results.some((result) => result.missing),
    ok: output.length === 0,
    output: output.join("\n"),
  });
}

let clean = true;
for (const check of [biome, clangFormat, clangTidy]) clean = (await check()) && clean;
process.exitCode = clean ? 0 : 1;
