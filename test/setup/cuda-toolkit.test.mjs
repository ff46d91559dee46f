// Which CUDA toolkit is found, and what is said of one that lacks parts. The toolkits are
// folders with the files that a real one has, and an nvcc that answers as NVIDIA's does; the last
// test asks this machine's own.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findToolkit, headerFolder, libraryFile, requireParts } from "../../tools/setup/cuda-toolkit.mjs";

const kVariables = ["CUDACXX", "CUDA_HOME", "CUDA_PATH", "INFERNODE_CUDA_PYTHON", "PATH"];
const before = Object.fromEntries(kVariables.map((name) => [name, process.env[name]]));
const kWhole = [
  "nvvm/bin/cicc",
  "include/crt/host_config.h",
  "include/cuda_runtime.h",
  "include/cccl/cub/cub.cuh",
  "include/cublas_v2.h",
  "lib/libcudart.so.13",
  "lib/libcublas.so.13",
  "lib/libcublasLt.so.13",
];

let home;
beforeEach(() => {
  home = realpathSync(mkdtempSync(path.join(os.tmpdir(), "infernode-toolkit-")));
  for (const name of kVariables) delete process.env[name];
  process.env.PATH = path.join(home, "nowhere");
});
afterEach(() => {
  for (const name of kVariables) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  rmSync(home, { recursive: true });
});

function place(folder, files) {
  for (const file of files) {
    mkdirSync(path.join(home, folder, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(home, folder, file), "", { mode: 0o755 });
  }
  return path.join(home, folder);
}

// A toolkit in `folder` with `files` and an nvcc of `version`.
function makeToolkit(folder, version, files, architectures = [80, 90]) {
  const root = place(folder, files);
  mkdirSync(path.join(root, "bin"), { recursive: true });
  const list = architectures.map((number) => `compute_${number}`).join("\\n");
  const script = `#!/bin/sh
case $1 in
  --version) echo "Cuda compilation tools, release ${version}, V${version}.1" ;;
  --list-gpu-arch) printf '${list}\\n' ;;
  *) { echo '#$ TOP=${root}/bin/..'; echo '#$ CICC_PATH=${root}/bin/../nvvm/bin'
       echo '#$ INCLUDES="-I${root}/bin/../include"  '
       echo '#$ LIBRARIES=  "-L${root}/bin/../lib64/stubs" "-L${root}/bin/../lib64"'; } >&2 ;;
esac
`;
  writeFileSync(path.join(root, "bin/nvcc"), script, { mode: 0o755 });
  return root;
}

// A program that starts another folder's nvcc, as distributions have in /usr/bin.
function makeWrapper(folder, root) {
  place(folder, ["nvcc"]);
  const script = `#!/bin/sh\nexec ${root}/bin/nvcc "$@"\n`;
  writeFileSync(path.join(home, folder, "nvcc"), script, { mode: 0o755 });
  return path.join(home, folder);
}

describe("the toolkit", () => {
  it("is the one behind a wrapper on the PATH", () => {
    const root = makeToolkit("cuda-12.8", "12.8", kWhole, [50, 90, 120]);
    process.env.PATH = `${makeWrapper("usr-bin", root)}:/bin:/usr/bin`;
    const toolkit = findToolkit();
    expect(toolkit).toMatchObject({
      nvcc: path.join(root, "bin/nvcc"),
      folder: root,
      version: "12.8",
      architectures: [50, 90, 120],
    });
    expect(() => requireParts(toolkit, {})).not.toThrow();
    expect(headerFolder(toolkit, "cub/cub.cuh")).toBe(path.join(root, "include/cccl"));
    expect(libraryFile(toolkit, "libcublas.so")).toBe(path.join(root, "lib/libcublas.so.13"));
  });

  it("is CUDACXX's before CUDA_HOME's before the PATH's", () => {
    const roots = ["12.4", "12.8", "13.0"].map((version) => makeToolkit(`cuda-${version}`, version, kWhole));
    process.env.PATH = `${roots[0]}/bin:/bin`;
    expect(findToolkit().version).toBe("12.4");
    process.env.CUDA_HOME = roots[1];
    expect(findToolkit().version).toBe("12.8");
    process.env.CUDACXX = `${roots[2]}/bin/nvcc`;
    expect(findToolkit().version).toBe("13.0");
  });

  it.each([
    ["an environment", "venv/lib/python3.11/site-packages/nvidia/cu13"],
    ["a folder of pip install --target", "venv/nvidia/cu13"],
  ])("is that of Python in %s, before a system's", (_what, folder) => {
    process.env.CUDA_HOME = makeToolkit("cuda-12.4", "12.4", kWhole);
    process.env.PATH = "/bin";
    const root = makeToolkit(folder, "13.0", kWhole);
    expect(findToolkit({ python: path.join(home, "venv") }).folder).toBe(root);
    process.env.INFERNODE_CUDA_PYTHON = path.join(home, "venv");
    expect(findToolkit().folder).toBe(root);
  });

  it("is completed by Python's packages", () => {
    const without = kWhole.filter((file) => !file.includes("cublas"));
    process.env.CUDA_HOME = makeToolkit("cuda-13.0", "13.0", without);
    process.env.PATH = "/bin";
    place(
      "py/nvidia/cu13",
      kWhole.filter((file) => file.includes("cublas")),
    );
    const toolkit = findToolkit({ python: path.join(home, "py") });
    expect(toolkit.folder).toBe(process.env.CUDA_HOME);
    expect(() => requireParts(toolkit, {})).not.toThrow();
    expect(toolkit.own.headers).not.toContain(headerFolder(toolkit, "cublas_v2.h"));
  });
});

describe("one sentence tells", () => {
  it("that there is no compiler", () => {
    if (existsSync("/usr/local/cuda/bin/nvcc")) process.env.CUDACXX = "nvcc-of-nobody";
    expect(() => findToolkit()).toThrow(
      /^there is no CUDA compiler: nvcc is not in CUDACXX, .* `python3 -m venv cuda && cuda\/bin\/pip install "nvidia-cuda-nvcc==13\.\*" "nvidia-nvvm==13\.\*" .*"nvidia-cublas==13\.\*"`\.$|^CUDACXX names nvcc-of-nobody, which is no program; let it name nvcc, or unset it\.$/,
    );
  });

  it("that CUDACXX names something else", () => {
    process.env.PATH = "/bin:/usr/bin";
    process.env.CUDACXX = "/bin/echo";
    expect(() => findToolkit()).toThrow(
      "/bin/echo does not answer as nvcc does; name another one in CUDACXX.",
    );
  });

  it("that a Python environment has no CUDA 13", () => {
    const folder = place("empty", ["pyvenv.cfg"]);
    expect(() => findToolkit({ python: folder })).toThrow(
      new RegExp(
        `^${folder} is said to be a Python environment .* \`${folder}/bin/pip install "nvidia-cuda-nvcc==13`,
      ),
    );
  });

  it.each([
    [/nvvm/, "NVVM (cicc)", "cuda-nvcc-13-0", "nvidia-nvvm"],
    [/crt/, "the CRT headers (crt/host_config.h)", "cuda-nvcc-13-0", "nvidia-cuda-crt"],
    [/cudart/, "the runtime (cuda_runtime.h, libcudart)", "cuda-cudart-dev-13-0", "nvidia-cuda-runtime"],
    [/cub\.cuh/, "CCCL (cub/cub.cuh)", "cuda-cccl-13-0", "nvidia-cuda-cccl"],
    [/cublasLt/, "cuBLAS (cublas_v2.h, libcublas, libcublasLt)", "libcublas-dev-13-0", "nvidia-cublas"],
  ])("that a toolkit lacks the part with %s", (pattern, what, apt, pip) => {
    process.env.CUDA_HOME = makeToolkit(
      "cuda",
      "13.0",
      kWhole.filter((file) => !pattern.test(file)),
    );
    process.env.PATH = "/bin";
    expect(() => requireParts(findToolkit(), {})).toThrow(
      `the CUDA toolkit 13.0 in ${process.env.CUDA_HOME} lacks ${what}: \`apt-get install ${apt}\` with NVIDIA's archive ` +
        `brings it, and so does \`python3 -m venv cuda && cuda/bin/pip install "${pip}==13.*"\` and --cuda-python cuda (or INFERNODE_CUDA_PYTHON).`,
    );
  });

  it("that several are missing, NCCL only where it is asked for, and pip only for CUDA 13", () => {
    process.env.CUDA_HOME = makeToolkit(
      "cuda",
      "12.8",
      kWhole.filter((file) => !file.includes("cublas")),
    );
    process.env.PATH = "/bin";
    expect(() => requireParts(findToolkit(), { nccl: true })).toThrow(
      `lacks cuBLAS (cublas_v2.h, libcublas, libcublasLt) and NCCL (nccl.h, libnccl): \`apt-get install libcublas-dev-12-8 libnccl-dev\` with NVIDIA's archive brings them.`,
    );
  });
});

it("of this machine answers", ({ skip }) => {
  process.env.PATH = before.PATH;
  if (spawnSync("nvcc", ["--version"]).status !== 0) {
    console.warn("SKIPPED: this machine has no nvcc on its PATH");
    skip("no nvcc");
  }
  const toolkit = findToolkit();
  expect(existsSync(toolkit.nvcc)).toBe(true);
  expect(toolkit.architectures.length).toBeGreaterThan(3);
  expect(headerFolder(toolkit, "cuda_runtime.h")).toBeDefined();
  expect(libraryFile(toolkit, "libcudart.so")).toBeDefined();
});
