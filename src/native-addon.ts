// The one place that loads the .node file, on first use, and starts it with the backends it
// is to load.
import { join } from "node:path";
import { cudaLibrariesIn, unfitCudaLibrary } from "./cuda-libraries.js";
import type { NativeAddon } from "./native.js";
import type { NativeRefusedBackend } from "./native-devices.js";
import { addonFile, isFolderNamed, nativeFolder, packagedBackend } from "./native-folder.js";
import { nativeInterface } from "./native-interface.js";
import { nativeOfOtherVersion, nativeUnloadable } from "./native-missing.js";
import { requireFrom } from "./package-root.js";

let loaded: NativeAddon | undefined;

/**
 * The addon, loaded on first use.
 * @throws InferenceError NATIVE_MISSING
 */
export function native(): NativeAddon {
  loaded ??= loadAddon();
  return loaded;
}

/** Absolute path of the program that renders chats; it lies beside the addon. */
export function chatProgram(): string {
  return join(nativeFolder(), "infernode-chat");
}

function loadAddon(): NativeAddon {
  const folder = nativeFolder();
  const file = join(folder, addonFile);
  let addon: NativeAddon;
  try {
    addon = requireFrom(file)(file) as NativeAddon;
  } catch (cause) {
    throw nativeUnloadable(cause);
  }
  checkInterface(addon.build, folder);
  try {
    const backend = packagedBackend(folder);
    const packaged = backend === undefined ? [] : [backend];
    addon.start(packaged, refusedLibraries(addon, [...cudaLibrariesIn(folder), ...packaged]));
    return addon;
  } catch (cause) {
    throw nativeUnloadable(cause);
  }
}

/** CUDA libraries without code for this machine's GPUs: they would load, and fail in every pass. */
function refusedLibraries(addon: NativeAddon, files: readonly string[]): readonly NativeRefusedBackend[] {
  return files.flatMap((path) => {
    const reason = unfitCudaLibrary(path, () => addon.nvidiaDriver().gpus);
    return reason === undefined ? [] : [{ path, reason }];
  });
}

/** Calls of another version may fail in any way, some of them silently: none is made. */
function checkInterface(build: Partial<NativeAddon["build"]>, folder: string): void {
  if (build.interface === nativeInterface) return;
  throw nativeOfOtherVersion(build.version, folder, isFolderNamed());
}
