// The package.json of each published package, derived from the checkout's own: one
// version for all. The main package starts no process at install and fits every platform;
// the native files come with the platform packages that it names as optional, and a CUDA
// backend with a package that the user chooses, because npm cannot select by GPU.
import { readFileSync } from "node:fs";
import path from "node:path";
import { SetupFailure } from "../setup/failure.mjs";
import { root } from "../setup/paths.mjs";

const checkout = () => JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));

// What the main package carries; README links into docs.
export const kMainFiles = [
  "dist",
  "assets",
  "docs",
  "examples",
  "README.md",
  "CONTRIBUTING.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "LICENSE",
  "third_party/README.md",
  "third_party/llama.cpp.json",
];

// Backends that have packages of their own, and the platforms that these are for. The loader
// looks for the same ones (src/cuda-packages.ts).
export const kBackends = [80, 86, 89, 90, 100, 120].map((architecture) => `cuda-sm${architecture}`);
const kBackendPlatforms = ["linux-x64"];

// Tested with the version of package-lock.json.
const kLibsql = "^0.5.29";

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

// What people look for on npm.
const kKeywords = [
  "llm",
  "llama.cpp",
  "gguf",
  "inference",
  "text generation",
  "chat",
  "structured output",
  "tools",
  "embeddings",
  "reranking",
  "continuous batching",
  "openai",
  "runpod",
  "serverless",
];

// `platforms` have packages of this version: npm ci fails where a listed one is missing.
export function mainManifest(platforms) {
  const manifest = checkout();
  for (const field of kOfCheckout) delete manifest[field];
  const backends = kBackendPlatforms.flatMap((platform) =>
    kBackends.map((name) => packageName(platform, name)),
  );
  const each = (names, value) => Object.fromEntries(names.map((name) => [name, value]));
  return {
    ...manifest,
    keywords: kKeywords,
    // The model and the heartbeat thread are opened by path: not out of yarn's zip files.
    preferUnplugged: true,
    optionalDependencies: each(
      platforms.map((platform) => packageName(platform)),
      manifest.version,
    ),
    // Never installed for it. With them yarn's PnP lets infernode load one that the user
    // installed, and every package manager objects to one of another version.
    // libsql is for `infernode serve --data` alone (0064).
    peerDependencies: { ...each(backends, manifest.version), libsql: kLibsql },
    peerDependenciesMeta: each([...backends, "libsql"], { optional: true }),
  };
}

// `backend` is one of kBackends; without it, of the platform's own package.
export function packageName(platform, backend) {
  return `@infernode/${[platform, backend].filter(Boolean).join("-")}`;
}

// The fields that tell where a package's sources are: `url` of a repository on GitHub.
export function sourcesAt(url) {
  if (url === undefined) return {};
  const [, address] = /^(https:\/\/github\.com\/[\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(url) ?? [];
  if (address === undefined)
    throw new SetupFailure(`--repository must be https://github.com/OWNER/NAME, got ${url}.`);
  return {
    repository: { type: "git", url: `git+${address}.git` },
    homepage: `${address}#readme`,
    bugs: `${address}/issues`,
  };
}

export function platformManifest(platform) {
  return {
    ...nativeManifest(platform, packageName(platform), "native files"),
    exports: { "./addon": "./infernode.node", "./package.json": "./package.json" },
  };
}

// `file` is the library's name. It works with the platform package of its own version only.
export function backendManifest(platform, backend, file) {
  const manifest = nativeManifest(platform, packageName(platform, backend), `${backend} backend`);
  return {
    ...manifest,
    exports: { "./backend": `./${file}`, "./package.json": "./package.json" },
    peerDependencies: { [packageName(platform)]: manifest.version },
  };
}

// `preferUnplugged`: a library cannot be loaded out of yarn's zip files.
function nativeManifest(platform, name, what) {
  const { version, license, author, engines } = checkout();
  const [os, cpu] = platform.split("-");
  return {
    name,
    version,
    description: `infernode's ${what} for ${os} on ${cpu}`,
    license,
    author,
    engines,
    os: [os],
    cpu: [cpu],
    libc: ["glibc"],
    preferUnplugged: true,
  };
}
