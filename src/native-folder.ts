// Where the addon lies: one folder that also holds llama.cpp's libraries and the program
// that renders chats. Looked for in this order: the folder that INFERNODE_NATIVE names,
// a build in this package (build/Release of a clone), the platform's own package. Backends
// are what lies in that folder and, beside the platform's package only, the CUDA package that
// the user installed. Loads nothing.
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { computeCapability, cudaPackageFor, cudaPackages } from "./cuda-packages.js";
import { nativeMissing, nativeNotFound } from "./native-missing.js";
import { packageRoot, requireFrom } from "./package-root.js";
import { platformPackage } from "./platform-package.js";

/** The addon's file name in its folder. */
export const addonFile = "infernode.node";

/**
 * Absolute path of the folder with the native files.
 * @throws InferenceError NATIVE_MISSING that says what to install, build or set
 */
export function nativeFolder(): string {
  const named = process.env.INFERNODE_NATIVE;
  if (named) return namedFolder(resolve(named));
  const root = packageRoot();
  const found = builtFolder(root) ?? packagedFolder(root);
  if (found === undefined) throw nativeNotFound();
  return found;
}

/** Whether INFERNODE_NATIVE names the folder. */
export function isFolderNamed(): boolean {
  return Boolean(process.env.INFERNODE_NATIVE);
}

function namedFolder(folder: string): string {
  if (existsSync(join(folder, addonFile))) return folder;
  throw nativeMissing(`INFERNODE_NATIVE must name a folder that holds ${addonFile}, got ${folder}`);
}

/** What `npm run build` made in a clone. */
function builtFolder(root: string): string | undefined {
  try {
    const { path } = requireFrom(join(root, "package.json"))("node-gyp-build") as {
      path(folder: string): string;
    };
    return dirname(path(root));
  } catch {
    return undefined;
  }
}

function packagedFolder(root: string): string | undefined {
  const addon = resolved(root, `${platformPackage()}/addon`);
  return addon === undefined ? undefined : dirname(addon);
}

/**
 * The CUDA backend to load besides those that lie in `folder`: the installed package's. Of
 * several the one for this machine's GPU, and none where it is for none of them or unknown.
 * @returns absolute path of the library
 */
export function packagedBackend(folder: string): string | undefined {
  // INFERNODE_NATIVE may name any build, also where this package's own root is not known.
  if (isFolderNamed()) return undefined;
  const root = packageRoot();
  // Another build's libraries have other names: the package's backend would not find them.
  if (folder !== packagedFolder(root)) return undefined;
  const backendOf = (name: string) => resolved(root, `${name}/backend`);
  const installed = cudaPackages().filter((name) => backendOf(name) !== undefined);
  const [only, ...others] = installed;
  if (only === undefined || others.length === 0) return only && backendOf(only);
  const capability = computeCapability();
  const fitting = capability === undefined ? undefined : cudaPackageFor(capability);
  return fitting !== undefined && installed.includes(fitting) ? backendOf(fitting) : undefined;
}

function resolved(root: string, entry: string): string | undefined {
  try {
    return requireFrom(join(root, "package.json")).resolve(entry);
  } catch {
    return undefined;
  }
}
