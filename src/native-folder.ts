// Where the addon lies: one folder that also holds llama.cpp's libraries and the program
// that renders chats. Looked for in this order: the folder that INFERNODE_NATIVE names,
// a build in this package (build/Release of a clone), the platform's own package.
// Loads nothing.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { nativeMissing, nativeNotFound, platformPackage } from "./native-missing.js";
import { packageRoot } from "./package-root.js";

/** The addon's file name in its folder. */
export const addonFile = "infernode.node";

const require = createRequire(import.meta.url);

/**
 * Absolute path of the folder with the native files.
 * @throws InferenceError NATIVE_MISSING that says what to install, build or set
 */
export function nativeFolder(): string {
  const named = process.env.INFERNODE_NATIVE;
  if (named) return namedFolder(resolve(named));
  const found = builtFolder() ?? packagedFolder();
  if (found === undefined) throw nativeNotFound();
  return found;
}

function namedFolder(folder: string): string {
  if (existsSync(join(folder, addonFile))) return folder;
  throw nativeMissing(`INFERNODE_NATIVE must name a folder that holds ${addonFile}, got ${folder}`);
}

/** What `npm run build` made in a clone. */
function builtFolder(): string | undefined {
  try {
    const { path } = require("node-gyp-build") as { path(folder: string): string };
    return dirname(path(packageRoot));
  } catch {
    return undefined;
  }
}

function packagedFolder(): string | undefined {
  try {
    return dirname(require.resolve(`${platformPackage()}/addon`));
  } catch {
    return undefined;
  }
}
