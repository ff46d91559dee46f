// Imports a package that is installed in .build/peers, as a program in that
// folder would. A file of its own because cold starts are timed through it.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { places } from "./places.mjs";

export function importPeer(name) {
  const require = createRequire(path.join(places.peers, "package.json"));
  return import(pathToFileURL(require.resolve(name)));
}
