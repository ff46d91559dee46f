// The headers that the addon is compiled with: node-api-headers and node-addon-api. A clone
// has them in node_modules; an installed package names their versions and checksums in
// third_party/headers.json and fetches them from the npm registry when it builds.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { run } from "./command.mjs";
import { fetchTarball } from "./download.mjs";
import { paths, shown } from "./paths.mjs";

// The packages, and the CMake variable and folder of each one's headers.
export const kHeaders = {
  "node-api-headers": { variable: "INFERNODE_NODE_API_INCLUDE", include: "include" },
  "node-addon-api": { variable: "INFERNODE_NODE_ADDON_API", include: "." },
};

// Whether ensureHeaders() has nothing to fetch.
export function headersArePresent() {
  return Object.keys(kHeaders).every((name) => existsSync(folderOf(name)));
}

// Resolves to the defines that tell CMake where the headers are.
export async function ensureHeaders() {
  const defines = {};
  for (const [name, { variable, include }] of Object.entries(kHeaders)) {
    if (!existsSync(folderOf(name))) await fetchHeaders(name);
    defines[variable] = path.join(folderOf(name), include);
  }
  return defines;
}

// The versions that an installed package pins; null in a clone, whose lock file does.
function readHeaderPins() {
  return existsSync(paths.headerPins) ? JSON.parse(readFileSync(paths.headerPins, "utf8")) : null;
}

function folderOf(name) {
  const pin = readHeaderPins()?.[name];
  return pin ? path.join(paths.sources, `${name}-${pin.version}`) : path.join(paths.nodeModules, name);
}

async function fetchHeaders(name) {
  const folder = folderOf(name);
  const tarball = await fetchTarball({ package: name, ...readHeaderPins()[name] }, `downloading ${name}`);
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const args = ["-xzf", tarball, "-C", partial, "--strip-components=1"];
  await run("tar", args, { what: `unpacking ${shown(tarball)}` });
  renameSync(partial, folder);
  rmSync(tarball);
}
