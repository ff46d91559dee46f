// Decides whether a made thing is current: a hash over the content of all it
// is made from, kept in a stamp beside the sizes of the files it made. Content,
// not times: a fresh checkout of the same files builds nothing.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { paths, root } from "./paths.mjs";

// All files below the given files and folders, sorted; missing ones are left out.
export function filesBelow(...entries) {
  const found = [];
  for (const entry of entries) {
    const full = path.resolve(root, entry);
    if (!existsSync(full)) continue;
    if (!statSync(full).isDirectory()) {
      found.push(full);
      continue;
    }
    for (const item of readdirSync(full, { recursive: true, withFileTypes: true })) {
      if (item.isFile()) found.push(path.join(item.parentPath ?? item.path, item.name));
    }
  }
  return found.sort();
}

// One hash over values and over the paths and contents of files.
export function fingerprint({ values = {}, files = [] }) {
  const hash = createHash("sha256").update(JSON.stringify(values));
  for (const file of files) {
    const content = readFileSync(file);
    hash.update(`\0${path.relative(root, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function stampFile(name) {
  return path.join(paths.stamps, `${name}.json`);
}

// True when `name` was last made from this fingerprint and its files are there.
export function isCurrent(name, print) {
  if (!existsSync(stampFile(name))) return false;
  try {
    const stamp = JSON.parse(readFileSync(stampFile(name), "utf8"));
    return (
      stamp.fingerprint === print &&
      stamp.outputs.every(({ file, size }) => statSync(path.resolve(root, file)).size === size)
    );
  } catch {
    return false; // A damaged stamp, or an output that is gone: make it again.
  }
}

// Called before work starts, so that an interrupted step is never current.
export function markStale(name) {
  rmSync(stampFile(name), { force: true });
}

export function markCurrent(name, print, outputs = []) {
  mkdirSync(paths.stamps, { recursive: true });
  // Outside of the root: absolute, because several packages' roots share a cache folder.
  const named = (file) => (file.startsWith(root + path.sep) ? path.relative(root, file) : file);
  const sized = outputs.map((file) => ({ file: named(file), size: statSync(file).size }));
  writeFileSync(stampFile(name), `${JSON.stringify({ fingerprint: print, outputs: sized }, null, 1)}\n`);
}
