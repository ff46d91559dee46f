// The runner's exit codes, on a copy of the benchmarks in which the native program
// of `sampler` is a script that prints figures given to it.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

const repository = path.resolve(import.meta.dirname, "../..");

let folder;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "infernode-bench-"));
  cpSync(path.join(repository, "tools/bench"), path.join(folder, "tools/bench"), { recursive: true });
  writeScript("programs/cmake", "exit 0");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeScript(name, text) {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

// As test/native/sampler_bench.cpp prints it: the ratio of the best routines, then generic's.
const line = (shape, vocabulary, filters, ratio) =>
  `${shape.padEnd(6)} ${vocabulary}  ${filters}  llama.cpp     1000 us   avx2   100 us (${ratio}x)   generic   900 us (1.1x)`;

const rows = (peaked) => [
  line("normal", " 32000", "top_k  0 top_p 0.95", "1.0"),
  line("normal", "128256", "top_k  0 top_p 0.95", "38.9"),
  line("peaked", "128256", "top_k  0 top_p 0.95", peaked),
  line("flat", "128256", "top_k  0 top_p 0.95", "5.0"),
  line("normal", "128256", "top_k 40 top_p 0.95", "1.0"),
  line("normal", "128256", "top_k  0 top_p 1.00", "1.0"),
];

function run(printed, ...flags) {
  writeScript(".build/release/bin/sampler_bench", `cat <<'END'\n${printed.join("\n")}\nEND`);
  const env = { ...process.env, PATH: `${path.join(folder, "programs")}:${process.env.PATH}` };
  const program = path.join(folder, "tools/bench/main.mjs");
  return spawnSync(process.execPath, [program, "sampler", ...flags], { env, encoding: "utf8" });
}

it("a missed bar is listed with its figure and is exit code 1 with --check", () => {
  const { status, stdout, stderr } = run(rows("4.9"), "--check");
  expect(stderr).toMatch(/1 of 3 bars missed:\n {2}peaked 128256: llama\.cpp \/ avx2: 4\.9000, bar >= 5\n$/);
  expect(stdout).toContain("peaked 128256");
  expect(status).toBe(1);
});

it("a missed bar is listed and is exit code 0 without --check", () => {
  const { status, stderr } = run(rows("4.9"));
  expect(stderr).toContain("1 of 3 bars missed:");
  expect(status).toBe(0);
});

it("bars reached are exit code 0 with --check", () => {
  const { status, stderr } = run(rows("5.0"), "--check");
  expect(stderr).toMatch(/All 3 bars reached\.\n$/);
  expect(status).toBe(0);
});

it("a row that a bar is of and that is not there is an error", () => {
  const { status, stderr } = run(rows("5.0").slice(0, 3), "--check");
  expect(stderr).toContain('printed no row "flat 128256"');
  expect(status).toBe(1);
});

it("figures are written where a bar was missed too, under a command without --check and --write", () => {
  mkdirSync(path.join(folder, "docs"));
  const document = path.join(folder, "docs/benchmarks.md");
  writeFileSync(document, "before\n<!-- bench:sampler -->\nold\n<!-- /bench:sampler -->\nafter\n");
  const { status, stdout } = run(rows("4.9"), "--write", "--rounds", "1", "--check");
  expect(stdout).toMatch(/^`npm run bench -- sampler --rounds 1`, /);
  expect(readFileSync(document, "utf8")).toBe(
    `before\n<!-- bench:sampler -->\n${stdout}<!-- /bench:sampler -->\nafter\n`,
  );
  expect(status).toBe(1);
});
