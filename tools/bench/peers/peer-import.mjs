// Imports a package that packages.mjs installed, as a program in that folder would. A file of its
// own because cold starts are timed through it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { places } from "../places.mjs";

export function importPeer(name, folder = places.peers) {
  const require = createRequire(path.join(folder, "package.json"));
  return import(pathToFileURL(require.resolve(name)));
}

export function packageVersion(name, folder = places.peers) {
  return JSON.parse(readFileSync(path.join(folder, "node_modules", name, "package.json"), "utf8")).version;
}
