// Where this package lies, for what it opens by path: the addon, the embedded model, the
// heartbeat thread and package.json. The file stays directly in src/, and what is built of
// it directly in dist/: both are one folder below the package's root. Inside the bundle of
// a user's program, the package is where Node finds it from the bundle's folder (0031).
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceError } from "./errors.js";

/**
 * This file, or the bundle that it is part of. esbuild leaves import.meta empty in
 * CommonJS, where there is __filename instead.
 */
const ownFile: string | undefined = nameOwnFile(import.meta.url);

let found: string | undefined;

/**
 * Absolute path of the folder that holds infernode's package.json.
 * @throws InferenceError NATIVE_MISSING in a bundle that was moved away from node_modules
 */
export function packageRoot(): string {
  found ??= rootAboveThisFile() ?? rootFromNodeModules();
  if (found === undefined) throw new InferenceError("NATIVE_MISSING", bundledSentence());
  return found;
}

/** The version that a JSON file of this package states. @param file such as "package.json" */
export function versionIn(file: string): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), file), "utf8")) as { version: string };
  return version;
}

/**
 * A require function that resolves as in the given file. Asked of the process: webpack
 * replaces the createRequire that is imported by one that cannot require anything.
 */
export function requireFrom(file: string): NodeJS.Require {
  return process.getBuiltinModule("node:module").createRequire(file);
}

function nameOwnFile(url: string | undefined): string | undefined {
  if (url !== undefined) return fileURLToPath(url);
  return typeof __filename === "string" ? __filename : undefined;
}

function rootAboveThisFile(): string | undefined {
  if (ownFile === undefined) return undefined;
  const folder = join(dirname(ownFile), "..");
  return isOurs(folder) ? folder : undefined;
}

function rootFromNodeModules(): string | undefined {
  if (ownFile === undefined) return undefined;
  try {
    return dirname(requireFrom(ownFile).resolve("infernode/package.json"));
  } catch {
    return undefined;
  }
}

/** A folder that Node's permission model forbids to read counts as ours: what reads it next tells so. */
function isOurs(folder: string): boolean {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: unknown };
    return name === "infernode";
  } catch (thrown) {
    return (thrown as { readonly code?: unknown }).code === "ERR_ACCESS_DENIED";
  }
}

function bundledSentence(): string {
  return (
    "infernode was bundled, and the files that it opens by path (the addon, the embedded model) lie nowhere near the bundle: " +
    "mark infernode as external, and install it where the program runs (esbuild: --external:infernode; " +
    "rolldown, rollup, tsup: --external infernode; webpack: externals: { infernode: " +
    '"commonjs infernode" }, or "module infernode" for ES modules; Vite: ssr.external: ["infernode"]; ' +
    'Next.js: serverExternalPackages: ["infernode"])'
  );
}
