// The licences of what a package carries: llama.cpp's and, for the JavaScript, those of
// every package whose code the bundler put into dist/, as its source maps tell.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { SetupFailure } from "../setup/failure.mjs";
import { paths, root } from "../setup/paths.mjs";

export function notices() {
  const parts = [readFileSync(path.join(root, "third_party/NOTICES.md"), "utf8").trimEnd()];
  for (const name of bundledPackages()) {
    const { version, license } = JSON.parse(
      readFileSync(path.join(paths.nodeModules, name, "package.json"), "utf8"),
    );
    parts.push(`## ${name} ${version} (${license})\n\n${licenceOf(name)}`);
  }
  return `${parts.join("\n\n")}\n`;
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

function licenceOf(name) {
  const folder = path.join(paths.nodeModules, name);
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new SetupFailure(`${name} is bundled and has no licence file in ${folder}.`);
  return readFileSync(path.join(folder, file), "utf8").trim();
}
