// Judges the blocks that are TypeScript: strictly, against the package's declarations, all
// of them in one run of the compiler.
import { execFile } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { paths } from "../setup/paths.mjs";

const kFlags = [
  ...["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--pretty", "false"],
  ...["--skipLibCheck", "--module", "nodenext", "--target", "es2023", "--lib", "es2023,esnext.disposable"],
  ...["--types", "node"],
];

/** Calls onResult with each block and what the compiler says of it. */
export async function judgeTypes({ folder }, blocks, onResult) {
  const typed = blocks.filter(({ kind, notRun }) => kind === "typed" && !notRun);
  if (typed.length === 0) return;
  const names = typed.map(({ before, code }, place) => {
    const name = `types-${place}.mts`;
    // An export makes it a module, whatever is in it.
    writeFileSync(path.join(folder, name), [before, code, "export {};\n"].filter(Boolean).join("\n"));
    return name;
  });
  const { stdout } = await new Promise((resolve) => {
    execFile(process.execPath, [paths.tsc, ...kFlags, ...names], { cwd: folder }, (error, stdout) =>
      resolve({ error, stdout }),
    );
  });
  const said = stdout.split("\n").filter((line) => /error TS/.test(line));
  for (const [place, block] of typed.entries()) {
    const own = said.filter((line) => line.startsWith(names[place]));
    onResult(block, own.length > 0 ? own.join("\n") : undefined);
  }
  for (const name of names) rmSync(path.join(folder, name));
  const rest = said.filter((line) => !names.some((name) => line.startsWith(name)));
  if (rest.length > 0) throw new Error(rest.join("\n"));
}
