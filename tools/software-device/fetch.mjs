// `npm run device:software`: makes a device for tests on a machine without a GPU. Fetches
// llama.cpp's Vulkan backend, prebuilt from the pinned release (24 MB of npm, verified by
// SHA-256), into .build/software-device; it runs on Mesa's software rasteriser (lavapipe).
// build/Release stays without it: tests that mean the CPU alone must not see a device.
// Prints the library's path. Exits 1 where something is missing; the tests of test/device
// are then skipped by name.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { run } from "../setup/command.mjs";
import { fetchTarball } from "../setup/download.mjs";
import { runMain, SetupFailure } from "../setup/failure.mjs";
import { readPin } from "../setup/llama-source.mjs";
import { withLock } from "../setup/lock.mjs";
import { shown } from "../setup/paths.mjs";
import { requirePrograms } from "../setup/toolchain.mjs";
import { kLibrary, softwareDevice } from "./library.mjs";

// Where Debian, Ubuntu and Fedora describe their Vulkan drivers.
const kDriverFolders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

await runMain(async () => {
  refuseOtherMachines();
  refuseOtherRelease();
  if (sha256(softwareDevice.library) !== kLibrary.sha256) await withLock(fetchLibrary);
  process.stdout.write(`${softwareDevice.library}\n`);
  requireDriver();
});

function refuseOtherMachines() {
  if (process.platform === "linux" && process.arch === "x64") return;
  throw new SetupFailure(
    `The prebuilt Vulkan backend is for linux-x64, and this is ${process.platform}-${process.arch}.`,
  );
}

// A backend of another llama.cpp has other structures: it must not be loaded.
function refuseOtherRelease() {
  const { version } = readPin();
  if (version === kLibrary.release) return;
  throw new SetupFailure(
    `The prebuilt Vulkan backend is of llama.cpp ${kLibrary.release}, and the pin is ${version}; ` +
      "name the package built from that release in tools/software-device/library.mjs.",
  );
}

// Unpacks in a folder of its own; only a verified file gets its place.
async function fetchLibrary() {
  requirePrograms("tar");
  const { npm, member, licence } = kLibrary;
  const title = `downloading ${npm.package}@${npm.version} (24 MB, ${licence})`;
  const tarball = await fetchTarball(npm, title);
  const partial = `${softwareDevice.folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    await run("tar", ["-xzf", tarball, "-C", partial, member], { what: `unpacking ${shown(tarball)}` });
    const unpacked = path.join(partial, member);
    const found = sha256(unpacked);
    if (found !== kLibrary.sha256) {
      throw new SetupFailure(
        `${path.basename(member)} has the SHA-256 ${found}, and ${kLibrary.sha256} is pinned.`,
      );
    }
    mkdirSync(softwareDevice.folder, { recursive: true });
    renameSync(unpacked, softwareDevice.library);
  } finally {
    rmSync(partial, { recursive: true, force: true });
    rmSync(tarball, { force: true });
  }
}

function sha256(file) {
  return existsSync(file) ? createHash("sha256").update(readFileSync(file)).digest("hex") : undefined;
}

function requireDriver() {
  const found = kDriverFolders.some(
    (folder) => existsSync(folder) && readdirSync(folder).some((name) => name.startsWith("lvp_icd")),
  );
  if (found) return;
  throw new SetupFailure(
    "Mesa's software Vulkan driver is missing; install with: apt-get install mesa-vulkan-drivers libvulkan1",
  );
}
