// Which clang-tidy judges the native code: one release from Python's package index, which takes
// less than half the time of Debian 12's. Where pip or the index is missing, the one on PATH.
import { existsSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { findProgram, run } from "../setup/command.mjs";
import { paths } from "../setup/paths.mjs";

const kVersion = "23.1.4";
const kInWheel = "clang_tidy/data/bin/clang-tidy";

// The program's path, or its name on PATH.
export async function clangTidyProgram() {
  const folder = path.join(paths.state, `clang-tidy-${kVersion}`);
  const program = path.join(folder, kInWheel);
  if (existsSync(program)) return program;
  const python = findProgram("python3");
  if (python === null) return "clang-tidy";
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const flags = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"];
  try {
    await run(python, ["-m", "pip", "install", ...flags, "--target", partial, `clang-tidy==${kVersion}`]);
    renameSync(partial, folder);
    return program;
  } catch (error) {
    console.log(`lint: clang-tidy ${kVersion} could not be fetched (${error.message.split("\n")[0]})`);
    return "clang-tidy";
  }
}
