// What lies at a path, and which files lie below a folder: bounded, so that a folder named
// by mistake, such as /, costs milliseconds. Synchronous, as inspectModel() is; a look-up
// is some dozens of calls. What cannot be read is not there.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const deepest = 4;
const mostEntries = 20_000;

/** What a path leads to, links followed; undefined: nothing, or nothing that can be read. */
export function kindOf(path: string): "file" | "folder" | undefined {
  try {
    return statSync(path).isDirectory() ? "folder" : "file";
  } catch {
    return undefined;
  }
}

/** Names in a folder, sorted; none where it cannot be read. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/**
 * Files below a folder, links followed: paths relative to it with / between their parts.
 * Empty files and links that lead nowhere are half downloaded and left out, names that
 * begin with a dot are other programs'.
 */
export function filesBelow(folder: string): readonly string[] {
  return walkBelow(folder, (bytes) => bytes > 0);
}

/** The empty files below a folder: what a download has begun, or a full disk has left. */
export function emptyFilesBelow(folder: string): readonly string[] {
  return walkBelow(folder, (bytes) => bytes === 0);
}

function walkBelow(folder: string, isTaken: (bytes: number) => boolean): readonly string[] {
  const files: string[] = [];
  let seen = 0;
  const walk = (below: string, depth: number): void => {
    for (const name of namesIn(join(folder, below))) {
      seen += 1;
      if (seen > mostEntries) return;
      if (name.startsWith(".")) continue;
      const path = below === "" ? name : `${below}/${name}`;
      const found = statOrUndefined(join(folder, path));
      if (found?.isDirectory() && depth < deepest) walk(path, depth + 1);
      if (found?.isFile() && isTaken(found.size)) files.push(path);
    }
  };
  walk("", 1);
  return files;
}

/** A small file's text; undefined where it cannot be read or is no small file. */
export function smallText(path: string, mostBytes = 16 * 2 ** 20): string | undefined {
  try {
    return statSync(path).size > mostBytes ? undefined : readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function statOrUndefined(path: string) {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
