// The files of a repository as the rules see them: those that git tracks or would track.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

/** All paths below `folder`, sorted. */
export function trackedFiles(folder) {
  const args = ["-C", folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const listed = execFileSync("git", args, { encoding: "utf8", maxBuffer: 1 << 26 })
    .split("\0")
    .filter(Boolean);
  return [...new Set(listed)].filter((file) => existsSync(path.join(folder, file))).sort();
}

/** Those of `files` that are text of at most 1 MiB. */
export function textFiles(folder, files) {
  return files.filter((file) => isText(path.join(folder, file)));
}

function isText(file) {
  if (!statSync(file).isFile() || statSync(file).size > 1 << 20) return false;
  return !readFileSync(file).subarray(0, 4096).includes(0);
}
