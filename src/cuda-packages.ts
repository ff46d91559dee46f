// CUDA backends: a package for each GPU architecture, which the user chooses, because npm
// cannot select by GPU. Says which one this machine's GPU needs. Loads nothing, and starts
// nvidia-smi only where the answer depends on the GPU.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { platformPackage } from "./platform-package.js";

/** Compute capabilities that have a package, as in tools/package/manifests.mjs. */
const capabilities = ["8.0", "8.6", "8.9", "9.0", "10.0", "12.0"] as const;

/** The platform whose CUDA backends are packaged. */
const platform = "@infernode/linux-x64";

/** How long nvidia-smi may take, in milliseconds: a machine that slept wakes its driver first. */
const patience = 5000;

/** The packages with a CUDA backend for this platform. */
export function cudaPackages(): readonly string[] {
  return platformPackage() === platform ? capabilities.map(packageOf) : [];
}

function packageOf(capability: string): string {
  return `${platform}-cuda-sm${capability.replace(".", "")}`;
}

/**
 * The package for a GPU: code for a compute capability also runs on later ones of the same
 * major version, and on no others.
 * @param capability e.g. "9.0"
 */
export function cudaPackageFor(capability: string): string | undefined {
  const [major = 0, minor = 0] = capability.split(".").map(Number);
  const fitting = capabilities.filter((each) => {
    const [eachMajor = 0, eachMinor = 0] = each.split(".").map(Number);
    return eachMajor === major && eachMinor <= minor;
  });
  const best = fitting.at(-1);
  return best === undefined || cudaPackages().length === 0 ? undefined : packageOf(best);
}

/** The first NVIDIA GPU's compute capability, e.g. "9.0"; undefined where nvidia-smi does not tell. */
export function computeCapability(): string | undefined {
  try {
    const args = ["--query-gpu=compute_cap", "--format=csv,noheader"];
    const printed = execFileSync("nvidia-smi", args, {
      encoding: "utf8",
      timeout: patience,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return /^\d+\.\d+$/m.exec(printed)?.[0];
  } catch {
    return undefined;
  }
}

/** @param devices the folder of device files */
export function hasNvidiaGpu(devices = "/dev"): boolean {
  try {
    return readdirSync(devices).some((name) => /^nvidia\d+$/.test(name));
  } catch {
    return false;
  }
}

/** What to install for this machine's NVIDIA GPU, as the end of a sentence. */
export function cudaRemedy(): string {
  const capability = computeCapability();
  // Without --arch it builds for this machine's GPUs.
  const built = "`npx infernode build --cuda` builds one";
  if (cudaPackages().length === 0) return `there is no package with a CUDA backend; ${built}`;
  if (capability === undefined) {
    return `install the package of its compute capability: ${cudaPackages().join(", ")}`;
  }
  const name = cudaPackageFor(capability);
  return name === undefined
    ? `no package has a CUDA backend for compute capability ${capability}; ${built}`
    : `run \`npm install ${name}\` for compute capability ${capability}`;
}
