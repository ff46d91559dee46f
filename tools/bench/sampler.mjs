// The sampler beside llama.cpp's own chain: runs the native program that
// compares them on the same rows, and keeps what it prints.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { BenchFailure } from "./failure.mjs";
import { places, root } from "./places.mjs";

const kProgram = "sampler_bench";

export const title = "Sampler";

export async function measure() {
  build();
  const program = path.join(places.native, "bin", kProgram);
  const { status, stdout, stderr } = spawnSync(program, { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new BenchFailure(`${kProgram} failed (exit ${status}):\n${stderr}`);
  return { rows: [], text: stdout.trimEnd() };
}

function build() {
  const { status, stdout } = spawnSync("cmake", ["--build", places.native, "--target", kProgram], {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0)
    throw new BenchFailure(`${kProgram} cannot be built; run \`npm run build\` first.\n${stdout}`);
}

export function report({ text }) {
  return [`\`\`\`\n${text}\n\`\`\``];
}
