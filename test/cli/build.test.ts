// `infernode build` as a process: flags that are refused. Builds themselves are run by
// `npm run test:packages -- --only build`, from an installed package.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { run } from "../helpers/programs.js";

const lock = fileURLToPath(new URL("../../.build/setup.lock", import.meta.url));
const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const timeout = 60_000;
const build = (...args: string[]) => run(program, { args: ["build", ...args] });

describe("infernode build", () => {
  it.each([
    [["--cpu", "fast"], "Allowed choices are native, all."],
    [["--arch", "90"], "--arch needs --cuda"],
    [["--gpu", "L4"], "--gpu needs --cuda"],
    [["--nccl"], "--nccl needs --cuda"],
    [["--cuda-python", "."], "--cuda-python needs --cuda"],
    [["--cuda", "--arch", "banana"], '"banana" is no CUDA architecture; expected numbers such as 80,90'],
    [["--cuda", "--arch", "90;"], '"" is no CUDA architecture'],
    [["--cuda", "--arch", "80,sm"], '"sm" is no CUDA architecture'],
    [
      ["--cuda", "--gpu", "L4", "--gpu", "RTX 4080"],
      '"RTX 4080" is no GPU of infernode\'s table; near ones are RTX 4090',
    ],
    [["--jobs", "0"], "Expected a whole number of at least 1."],
    [["--out", ""], "Expected a folder."],
    [["--out", "node_modules/infernode/native"], "Expected a folder outside node_modules"],
    [["elsewhere"], "too many arguments"],
  ])("refuses %j", { timeout }, async (args, sentence) => {
    const { code, stdout, stderr } = await build(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(sentence);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  // Nor does it wait for the set-up that is at work here, which may take an hour.
  it("refuses what the found toolkit cannot build, before it builds anything", { timeout }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "infernode-build-"));
    const release = holdLock();
    try {
      // Answers as CUDA 13.0's nvcc does.
      const nvcc = join(folder, "nvcc");
      const script = `#!/bin/sh
case $1 in
  --version) echo "Cuda compilation tools, release 13.0, V13.0.88" ;;
  --list-gpu-arch) printf 'compute_75\\ncompute_90\\n' ;;
  *) echo '#$ TOP=${folder}' >&2 ;;
esac
`;
      writeFileSync(nvcc, script, { mode: 0o755 });
      const env = { CUDACXX: nvcc, XDG_CACHE_HOME: join(folder, "cache"), INFERNODE_CUDA_PYTHON: "" };
      const args = ["build", "--cuda", "--arch", "60,90"];
      const { code, stdout, stderr } = await run(program, { args, env });
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toBe(
        `infernode: the CUDA toolkit 13.0 in ${realpathSync(folder)} cannot build for 60 (CUDA 8.0 to 12.9 can); ` +
          "it can for 75, 90. Leave it out, or name another toolkit's nvcc in CUDACXX.\n",
      );
    } finally {
      release();
      rmSync(folder, { recursive: true });
    }
  });

  it("refuses a link into node_modules", { timeout }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "infernode-build-"));
    try {
      mkdirSync(join(folder, "node_modules"));
      symlinkSync(join(folder, "node_modules"), join(folder, "link"));
      const { code, stderr } = await build("--out", join(folder, "link", "native"));
      expect(code).toBe(2);
      expect(stderr).toContain("Expected a folder outside node_modules");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Makes this process the set-up at work, where none is. Returns what ends that. */
function holdLock(): () => void {
  try {
    writeFileSync(lock, `${process.pid}\n`, { flag: "wx" });
  } catch {
    return () => {}; // a real one holds it
  }
  return () => rmSync(lock);
}
