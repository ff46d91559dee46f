// Names of the hub's that become names on the disk: which are safe below a folder on every
// system that this package runs on. Pure.
import { platform } from "node:process";

const longestPath = 1000;
const longestPart = 255;
/** Characters that no file of Windows may have, and names of its devices. */
const refusedByWindows = /[<>:"|?*]|[. ]$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/** Whether a path within a repository stays inside every folder it is joined to. */
export function isSafePath(path: string, system: NodeJS.Platform = platform): boolean {
  return (
    path.length <= longestPath &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    !/[\x00-\x1f\x7f\\]/.test(path) &&
    path.split("/").every((part) => isSafePart(part, system))
  );
}

function isSafePart(part: string, system: NodeJS.Platform): boolean {
  if (part === "" || part === "." || part === ".." || Buffer.byteLength(part) > longestPart) return false;
  return system !== "win32" || !refusedByWindows.test(part);
}
