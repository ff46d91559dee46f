// Checkpoints that tools/checkpoints/make.py makes: Python's standard library is enough.
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const generator = fileURLToPath(new URL("../../tools/checkpoints/make.py", import.meta.url));

/** Whether they can be made here; tests skip under a name that says so. */
export const canGenerate = spawnSync("python3", ["--version"]).status === 0;

/** Makes checkpoints below a folder; returns the directory of each case, in their order. */
export function generateCheckpoints(cases: readonly string[], out: string): readonly string[] {
  const asked = cases.flatMap((each) => ["--case", each]);
  const said = execFileSync("python3", [generator, out, ...asked], { encoding: "utf8" });
  return said
    .trim()
    .split("\n")
    .map((name) => join(out, name));
}
