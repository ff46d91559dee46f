// Why the addon cannot be loaded, as one sentence that says what to do: it is not built,
// the system refuses it, or Node was told to.
import { packageRoot } from "./package-root.js";
import { messageOfThrown } from "./thrown.js";

/** @param cause what loading it threw */
export function missingSentence(cause: unknown): string {
  const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown };
  switch (code) {
    case "ERR_DLOPEN_FAILED":
      return `the native addon cannot be loaded (${String(message)}); ${buildAdvice}`;
    case "ERR_DLOPEN_DISABLED":
      return isPermissionModelOn()
        ? "Node's permission model forbids native addons; start Node with --allow-addons"
        : "native addons are off in this process; start Node without --no-addons";
    case "ERR_ACCESS_DENIED":
      return `the native addon cannot be loaded: ${messageOfThrown(cause)}`;
  }
  if (isPermissionModelOn() && !mayRead(packageRoot)) {
    return `Node's permission model forbids reading the package's folder; start Node with --allow-fs-read=${packageRoot}/*`;
  }
  return `the native addon is not built for ${process.platform} ${process.arch}; ${buildAdvice}`;
}

const buildAdvice = "run `npm start` or `npm run build` in the package's folder";

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
