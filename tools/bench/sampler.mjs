// The sampler beside llama.cpp's own chain: runs the native program that
// compares them on the same rows, and keeps what it prints. The bar is for rows of
// 128k at temperature 1 (the program's only one) with top_p 0.95 and nothing else, and
// for the routines this processor gets, which the program names first.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { BenchFailure } from "./failure.mjs";
import { places, root } from "./places.mjs";

const kProgram = "sampler_bench";
const kBar = 5;
const kShapes = ["normal", "peaked", "flat"];

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

// The ratio as printed, to a tenth. A row that is not there must not be a bar reached.
function barOf(shape, text) {
  const row = `^${shape} +128256 +top_k +0 top_p 0\\.95 +llama\\.cpp +\\d+ us +(\\w+) +\\d+ us \\(([\\d.]+)x\\)`;
  const found = new RegExp(row, "m").exec(text);
  if (found === null) throw new BenchFailure(`${kProgram} printed no row "${shape} 128256" of top_p 0.95.`);
  const [, routines, ratio] = found;
  return { what: `${shape} 128256: llama.cpp / ${routines}`, value: Number(ratio), atLeast: kBar };
}

export const bars = ({ text }) => kShapes.map((shape) => barOf(shape, text));

export function report({ text }) {
  return [`\`\`\`text\n${text}\n\`\`\``];
}
