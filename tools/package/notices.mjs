// The licences of what a package carries: llama.cpp's and, for the JavaScript, those of
// every package whose code the bundler put into dist/, as its source maps tell.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { SetupFailure } from "../setup/failure.mjs";
import { paths, root } from "../setup/paths.mjs";

// Of a package of native files.
export function nativeNotices() {
  return readFileSync(path.join(root, "third_party/NOTICES.md"), "utf8");
}

// Of the main package.
export function notices() {
  const parts = [nativeNotices().trimEnd()];
  const packages = bundledPackages();
  for (const name of packages) {
    const { version, license } = manifestOf(name);
    parts.push(`## ${name} ${version} (${license})\n\n${licenceOf(name, packages)}`);
  }
  return `${parts.join("\n\n")}\n`;
}

function manifestOf(name) {
  return JSON.parse(readFileSync(path.join(paths.nodeModules, name, "package.json"), "utf8"));
}

export function bundledPackages() {
  const maps = readdirSync(paths.dist, { recursive: true }).filter((file) => file.endsWith(".map"));
  const sources = maps.flatMap(
    (file) => JSON.parse(readFileSync(path.join(paths.dist, file), "utf8")).sources,
  );
  const names = sources.map(
    (source) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(source)?.[1],
  );
  return [...new Set(names.filter(Boolean))].sort();
}

// A package that was published without its licence file has that of its repository, which
// another bundled package of the same repository carries.
function licenceOf(name, packages) {
  const { repository, license } = manifestOf(name);
  const isSame = (other) => {
    const manifest = manifestOf(other);
    return manifest.repository?.url === repository?.url && manifest.license === license;
  };
  const found = licenceFile(name) ?? packages.filter(isSame).map(licenceFile).find(Boolean);
  if (found === undefined) throw new SetupFailure(`${name} is bundled and has no licence file.`);
  return readFileSync(found, "utf8").trim();
}

function licenceFile(name) {
  const folder = path.join(paths.nodeModules, name);
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  return file && path.join(folder, file);
}
