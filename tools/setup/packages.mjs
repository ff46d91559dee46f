// The npm packages: current when node_modules holds what package-lock.json
// names, whoever installed it. npm writes its own record last, so an
// interrupted install is seen as such.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { run } from "./command.mjs";
import { paths, root } from "./paths.mjs";
import { step } from "./steps.mjs";

export async function ensurePackages() {
  if (packagesAreCurrent()) return;
  await step("npm packages", (progress) =>
    runNpm(["ci", "--no-audit", "--no-fund"], { onLine: progress.line, what: "npm ci" }),
  );
}

// npm as a child, by the very npm that runs us where there is one: pnpm and yarn name
// themselves in the same variable.
export function runNpm(args, options) {
  const script = process.env.npm_execpath;
  if (/[\\/]npm(-cli)?\.js$/.test(script ?? "")) return run(process.execPath, [script, ...args], options);
  return run("npm", args, options);
}

// The version package-lock.json names, or null: a published package has none.
export function lockedVersion(name) {
  const lock = readPackages(path.join(root, "package-lock.json"));
  return lock?.[`node_modules/${name}`]?.version ?? null;
}

function packagesAreCurrent() {
  const record = path.join(paths.nodeModules, ".package-lock.json");
  if (!existsSync(record)) return false;
  const wanted = readPackages(path.join(root, "package-lock.json"));
  const installed = readPackages(record);
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([place, entry]) => {
    if (place === "") return true;
    // Optional packages are for other platforms, unless they are installed.
    if (!installed[place]) return entry.optional === true;
    return installed[place].version === entry.version && existsSync(path.join(root, place, "package.json"));
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages ?? null;
  } catch {
    return null;
  }
}
