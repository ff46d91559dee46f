// Why there is no addon, as one error that says what to do: the platform has none, its
// package is not installed, the system refuses the file, or Node was told to.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cudaRemedy, hasNvidiaGpu } from "./cuda-packages.js";
import { InferenceError } from "./errors.js";
import { packageRoot } from "./package-root.js";
import { isPackaged, platformPackage } from "./platform-package.js";
import { messageOfThrown } from "./thrown.js";

/** The oldest C library that the packages' files run on. */
const oldestGlibc = "2.34";

/** The error of an addon that was found nowhere. */
export function nativeNotFound(): InferenceError {
  if (isPermissionModelOn() && !mayRead(packageRoot())) {
    return nativeMissing(
      `Node's permission model forbids reading the package's folder; start Node with --allow-fs-read=${packageRoot()}/*`,
    );
  }
  const { platform, arch } = process;
  if (!isPackaged()) {
    return nativeMissing(
      `infernode has no native files for ${platform} ${arch}, only for Linux on x64 and arm64; ` +
        "run it there, for example in a container",
    );
  }
  if (isMusl()) {
    return nativeMissing(
      `infernode's native files need glibc ${oldestGlibc} or newer, and this system has musl (Alpine); ` +
        "use an image such as node:22-bookworm-slim",
    );
  }
  return nativeMissing(
    `the package ${platformPackage()} is not installed; npm leaves it out with --omit=optional or ` +
      "--no-optional, and where the lock file was written on another platform: " +
      `run \`npm install ${platformPackage()}\` (in a clone: \`npm run build\`)` +
      (hasNvidiaGpu() ? `; for the NVIDIA GPU ${cudaRemedy()}` : ""),
  );
}

/** @param cause what loading the addon threw */
export function nativeUnloadable(cause: unknown): InferenceError {
  const { code } = cause as { readonly code?: unknown };
  if (code === "ERR_DLOPEN_DISABLED") {
    const sentence = isPermissionModelOn()
      ? "Node's permission model forbids native addons; start Node with --allow-addons"
      : "native addons are off in this process; start Node without --no-addons";
    return nativeMissing(sentence, cause);
  }
  const reason = messageOfThrown(cause);
  if (code === "ERR_ACCESS_DENIED") {
    return nativeMissing(`the native addon cannot be loaded: ${reason}`, cause);
  }
  const advice = /GLIBC(?:XX)?_/.test(reason)
    ? `it needs glibc ${oldestGlibc} and the C++ library of GCC 12 or newer (Debian 12, Ubuntu 22.04); elsewhere, compile it with \`npx infernode build\``
    : "reinstall infernode, or run `npm run build` in a clone";
  return nativeMissing(`the native addon cannot be loaded (${reason}); ${advice}`, cause);
}

/**
 * The error of native files that were built for other JavaScript files than these.
 * @param theirs the version they tell; older ones tell none
 * @param isNamed whether INFERNODE_NATIVE names the folder
 */
export function nativeOfOtherVersion(
  theirs: string | undefined,
  folder: string,
  isNamed: boolean,
): InferenceError {
  const advice = isNamed
    ? "INFERNODE_NATIVE names this folder: unset it, or build the folder again from this version"
    : `install infernode and ${platformPackage()} in the same version, or run \`npm run build\` in a clone`;
  return nativeMissing(
    `the native files in ${folder} are of ${theirs === undefined ? "an older version" : `version ${theirs}`} ` +
      `of infernode with other calls, and its JavaScript files are of version ${ownVersion()}; ${advice}`,
  );
}

function ownVersion(): string {
  const text = readFileSync(join(packageRoot(), "package.json"), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

export function nativeMissing(sentence: string, cause?: unknown): InferenceError {
  return new InferenceError("NATIVE_MISSING", sentence, cause === undefined ? {} : { cause });
}

function isMusl(): boolean {
  if (process.platform !== "linux") return false;
  const { header } = process.report.getReport() as { readonly header: object };
  return !("glibcVersionRuntime" in header);
}

interface Permission {
  has(scope: string, reference?: string): boolean;
}

function permission(): Permission | undefined {
  return (process as { readonly permission?: Permission }).permission;
}

function isPermissionModelOn(): boolean {
  return permission() !== undefined;
}

function mayRead(path: string): boolean {
  return permission()?.has("fs.read", path) ?? true;
}
