// The package.json of each published package, derived from the checkout's own: one
// version for all. The main package starts no process at install and fits every platform;
// the native files come with the platform packages that it names as optional.
import { readFileSync } from "node:fs";
import path from "node:path";
import { root } from "../setup/paths.mjs";

const checkout = () => JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));

export const kPlatforms = ["linux-x64", "linux-arm64"];

// Fields that mean something in a checkout only. `os` and `cpu` would keep
// developers on other systems from type-checking.
const kOfCheckout = [
  "overrides",
  "scripts",
  "devDependencies",
  "gypfile",
  "binary",
  "os",
  "cpu",
  "files",
  "private",
];

// `platforms` have packages of this version: npm ci fails where a listed one is missing.
export function mainManifest(platforms) {
  const manifest = checkout();
  for (const field of kOfCheckout) delete manifest[field];
  const names = platforms.map((platform) => [packageName(platform), manifest.version]);
  // The model and the heartbeat thread are opened by path: not out of yarn's zip files.
  return { ...manifest, preferUnplugged: true, optionalDependencies: Object.fromEntries(names) };
}

export function packageName(platform) {
  return `@infernode/${platform}`;
}

// `preferUnplugged`: a library cannot be loaded out of yarn's zip files.
export function platformManifest(platform) {
  const { version, license, author, engines } = checkout();
  const [os, cpu] = platform.split("-");
  return {
    name: packageName(platform),
    version,
    description: `infernode's native files for ${os} on ${cpu}`,
    license,
    author,
    engines,
    os: [os],
    cpu: [cpu],
    libc: ["glibc"],
    exports: { "./addon": "./infernode.node", "./package.json": "./package.json" },
    preferUnplugged: true,
  };
}
