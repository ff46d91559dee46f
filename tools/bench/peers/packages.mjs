// The npm packages we compare with, at exact versions, in .build/peers or another folder: never a
// dependency of ours. Their install scripts do not run and their optional
// packages (every GPU build they have, some 700 MB) are left out: the one
// binary package of this platform is named instead.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { runLoudly } from "../child.mjs";
import { places } from "../places.mjs";

const platform = `${process.platform}-${process.arch}`;

export const peerVersions = { "node-llama-cpp": "3.22.1", "@fugood/llama.node": "1.7.15" };

const packages = {
  ...peerVersions,
  // node-llama-cpp names its macOS packages mac-*; its arm64 one is for Metal.
  [`@node-llama-cpp/${platform.replace("darwin", "mac").replace("mac-arm64", "mac-arm64-metal")}`]: "3.22.1",
  [`@fugood/node-llama-${platform}`]: "1.7.15",
};

export async function ensurePeers(folder = places.peers) {
  const isThere = ([name, version]) => installedVersion(folder, name) === version;
  if (Object.entries(packages).every(isThere)) return;
  mkdirSync(folder, { recursive: true });
  const manifest = { private: true, dependencies: packages };
  writeFileSync(path.join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  const flags = ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"];
  await runLoudly("npm", ["install", ...flags], {
    cwd: folder,
    env: { ...process.env, NODE_LLAMA_CPP_SKIP_DOWNLOAD: "true" },
  });
}

function installedVersion(folder, name) {
  const manifest = path.join(folder, "node_modules", name, "package.json");
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")).version : null;
}
