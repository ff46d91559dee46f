// The licences of what a package carries: llama.cpp's and, for the JavaScript, those of
// every package whose code the bundler put into dist/, as its source maps tell.
import { existsSync, readdirSync, readFileSync } from "node:fs";
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
  for (const place of packages) {
    const { name, version, license } = manifestOf(place);
    parts.push(`## ${name} ${version} (${license})\n\n${licenceOf(place, packages)}`);
  }
  return `${parts.join("\n\n")}\n`;
}

// By its place below node_modules, which is not its name where two packages want two versions.
function manifestOf(place) {
  return JSON.parse(readFileSync(path.join(paths.nodeModules, place, "package.json"), "utf8"));
}

// Places of packages, one of each name and version.
export function bundledPackages() {
  const maps = readdirSync(paths.dist, { recursive: true }).filter((file) => file.endsWith(".map"));
  const sources = maps.flatMap(
    (file) => JSON.parse(readFileSync(path.join(paths.dist, file), "utf8")).sources,
  );
  const places = sources.map(
    (source) => /node_modules\/((?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1],
  );
  const byVersion = new Map();
  for (const place of new Set(places.filter(Boolean))) {
    const { name, version } = manifestOf(place);
    byVersion.set(`${name} ${version}`, place);
  }
  return [...byVersion.values()].sort();
}

// A package that was published without its licence file has that of its repository, which
// another bundled package of the same repository carries. Apache's licence asks for the package's
// own notices beside it.
function licenceOf(place, packages) {
  const { repository, license } = manifestOf(place);
  const isSame = (other) => {
    const manifest = manifestOf(other);
    return manifest.repository?.url === repository?.url && manifest.license === license;
  };
  const found =
    fileOf(place, kLicence) ??
    packages
      .filter(isSame)
      .map((each) => fileOf(each, kLicence))
      .find(Boolean);
  if (found === undefined) throw new SetupFailure(`${place} is bundled and has no licence file.`);
  const parts = [found, fileOf(place, kNotice), ...partsLicences(place)].filter(Boolean);
  return parts.map((file) => readFileSync(file, "utf8").trim()).join("\n\n");
}

// ECharts has a folder of the licences of code that it took in.
function partsLicences(place) {
  const folder = path.join(paths.nodeModules, place, "licenses");
  return existsSync(folder) ? readdirSync(folder).map((file) => path.join(folder, file)) : [];
}

const kLicence = /^licen[cs]e/i;
const kNotice = /^notice(?:\.|$)/i;

function fileOf(place, form) {
  const folder = path.join(paths.nodeModules, place);
  const files = readdirSync(folder, { withFileTypes: true }).filter((each) => each.isFile());
  const entry = files.find(({ name }) => form.test(name));
  return entry && path.join(folder, entry.name);
}
