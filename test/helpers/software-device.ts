// A real ggml device on a machine without a GPU: llama.cpp's Vulkan backend on Mesa's software
// rasteriser. `npm run device:software` fetches the backend. Suites that need the device are
// skipped where the backend or Mesa's driver is missing, under a name that says how to get it.
import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const home = join(root, ".build/software-device");
const library = join(home, "libggml-vulkan.so");
const built = join(root, "build/Release");
const driverFolders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/** Mesa's description of the software driver, lvp_icd.x86_64.json on Debian. */
function driver(): string | undefined {
  return driverFolders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .find((file) => /\/lvp_icd[^/]*\.json$/.test(file));
}

/** Time of a test that may have to compile shaders: minutes where the machine is busy. */
export const patience = { timeout: 900_000 };

/** Environment of a process that sees the software device `count` times, as Vulkan0 and so on. */
export type DeviceEnvironment = Readonly<Record<string, string>>;

/** Environment of a process that computes on the CPU alone, whatever its parent does. */
export const cpuAlone: DeviceEnvironment = { INFERNODE_NATIVE: "", GGML_VK_VISIBLE_DEVICES: "" };

/**
 * A suite on the software device. This process, which vitest starts for the one test file,
 * gets the device, and so does each program that it runs with the environment.
 * @param count how many devices there seem to be; all are the same one
 */
export function describeDevice(
  name: string,
  count: 1 | 2,
  suite: (environment: DeviceEnvironment) => void,
): void {
  const icd = driver();
  if (!existsSync(library) || icd === undefined) {
    describe.skip(`${name}: the software device is missing: npm run device:software`, () => suite(cpuAlone));
    return;
  }
  describe(name, () => {
    const folder = assemble();
    const environment = {
      INFERNODE_NATIVE: folder,
      // ggml ignores software devices unless they are named.
      GGML_VK_VISIBLE_DEVICES: Array(count).fill("0").join(","),
      // No other driver: device 0 must be the software device on any machine.
      VK_ICD_FILENAMES: icd,
      VK_DRIVER_FILES: icd,
      MESA_SHADER_CACHE_DIR: join(home, "shaders"),
    };
    Object.assign(process.env, environment);
    afterAll(() => rmSync(folder, { recursive: true }));
    suite(environment);
  });
}

/**
 * A folder for INFERNODE_NATIVE: this clone's build, linked, and the Vulkan backend under the
 * name by which the addon finds backends. Made anew for each test file, because a new build
 * replaces the files that are linked here.
 */
function assemble(): string {
  const folder = join(home, `native-${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(built).filter((name) => /^(infernode|libinfernode)/.test(name));
  for (const name of names) linkOrCopy(join(built, name), join(folder, name));
  const base = names.find((name) => /^libinfernode-ggml-base-\w+\.so$/.test(name));
  if (base === undefined) throw new Error(`${built} holds no libinfernode-ggml-base-*.so`);
  linkOrCopy(library, join(folder, base.replace("-base-", "-vulkan-")));
  // The prebuilt backend asks for libggml-base.so. Under this name it finds the file that the
  // addon has loaded, which the loader knows by its inode and does not load again.
  symlinkSync(base, join(folder, "libggml-base.so"));
  return folder;
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // another file system
  }
}
