// Finds a CUDA toolkit and every part of it that the CUDA backend is compiled and linked with:
// a system's, or NVIDIA's packages of CUDA 13 in a Python environment, or the one completed by
// the other. What is missing is named in one sentence with the command that brings it.
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import path from "node:path";
import { findProgram } from "./command.mjs";
import { SetupFailure } from "./failure.mjs";

// Part -> the files that show it, and the packages that bring it: by pip, and by apt with
// NVIDIA's archive, without the version that ends their names.
const kParts = {
  nvvm: { what: "NVVM (cicc)", program: "cicc", pip: "nvidia-nvvm", apt: "cuda-nvcc" },
  crt: {
    what: "the CRT headers (crt/host_config.h)",
    header: "crt/host_config.h",
    pip: "nvidia-cuda-crt",
    apt: "cuda-nvcc",
  },
  runtime: {
    what: "the runtime (cuda_runtime.h, libcudart)",
    header: "cuda_runtime.h",
    libraries: ["libcudart.so"],
    pip: "nvidia-cuda-runtime",
    apt: "cuda-cudart-dev",
  },
  cccl: { what: "CCCL (cub/cub.cuh)", header: "cub/cub.cuh", pip: "nvidia-cuda-cccl", apt: "cuda-cccl" },
  cublas: {
    what: "cuBLAS (cublas_v2.h, libcublas, libcublasLt)",
    header: "cublas_v2.h",
    libraries: ["libcublas.so", "libcublasLt.so"],
    pip: "nvidia-cublas",
    apt: "libcublas-dev",
  },
  nccl: {
    what: "NCCL (nccl.h, libnccl)",
    header: "nccl.h",
    libraries: ["libnccl.so"],
    pip: "nvidia-nccl-cu13",
    apt: "libnccl-dev",
  },
};

// A whole toolkit by pip.
const kWhole = [{ pip: "nvidia-cuda-nvcc" }, ...Object.values(kParts).filter((part) => part !== kParts.nccl)];

// `python` is a Python environment, or a folder of `pip install --target`; from the variable
// INFERNODE_CUDA_PYTHON where no option names one. Parts may be missing. Returns { nvcc, version, folder, headers,
// libraries, programs, own, architectures } or throws a SetupFailure.
export function findToolkit({ python = process.env.INFERNODE_CUDA_PYTHON } = {}) {
  const pythonFolders = python ? foldersOfPython(python) : [];
  return describeCompiler(findCompiler(pythonFolders), pythonFolders);
}

// Refuses a toolkit that lacks a part; NCCL is one where it is asked for.
export function requireParts(toolkit, { nccl = false }) {
  const missing = Object.entries(kParts)
    .filter(([name]) => nccl || name !== "nccl")
    .filter(([, part]) => !hasPart(toolkit, part))
    .map(([, part]) => part);
  if (missing.length > 0) throw new SetupFailure(missingSentence(toolkit, missing));
}

// The folders that NVIDIA's packages of CUDA 13 (and NCCL's) make in a Python environment.
function foldersOfPython(python) {
  const root = path.resolve(python);
  const versions = listOf(path.join(root, "lib")).filter((name) => /^python3/.test(name));
  const places = [root, ...versions.map((name) => path.join(root, "lib", name, "site-packages"))];
  const found = places
    .flatMap((place) => ["nvidia/cu13", "nvidia/nccl"].map((name) => path.join(place, name)))
    .filter((folder) => existsSync(folder));
  if (found.length > 0) return found;
  throw new SetupFailure(
    `${root} is said to be a Python environment with CUDA, and no package of CUDA 13 is in it ` +
      `(nvidia/cu13 below it, or below its site-packages); install them with \`${pipCommand(kWhole, root)}\`.`,
  );
}

// The compiler that CUDACXX names, else the Python environment's, else a system's.
function findCompiler(pythonFolders) {
  const { CUDACXX, CUDA_HOME, CUDA_PATH } = process.env;
  if (CUDACXX) {
    const named = CUDACXX.includes("/") ? path.resolve(CUDACXX) : findProgram(CUDACXX);
    if (named !== null && isProgram(named)) return named;
    throw new SetupFailure(`CUDACXX names ${CUDACXX}, which is no program; let it name nvcc, or unset it.`);
  }
  const below = (folder) => path.join(folder, "bin/nvcc");
  const places = [...pythonFolders, CUDA_HOME, CUDA_PATH].filter(Boolean).map(below);
  const found = [...places, findProgram("nvcc"), "/usr/local/cuda/bin/nvcc"].find(
    (file) => file && isProgram(file),
  );
  if (found !== undefined) return found;
  throw new SetupFailure(
    "there is no CUDA compiler: nvcc is not in CUDACXX, CUDA_HOME, CUDA_PATH, the PATH or /usr/local/cuda; install " +
      `NVIDIA's CUDA toolkit, or a Python environment of it, which --cuda-python or INFERNODE_CUDA_PYTHON names: ` +
      `\`python3 -m venv cuda && ${pipCommand(kWhole, "cuda")}\`.`,
  );
}

// What nvcc says of itself. A wrapper's answer names the toolkit behind it.
function describeCompiler(compiler, pythonFolders) {
  const version = /release (\d+\.\d+)/.exec(ask(compiler, ["--version"]))?.[1];
  const plan = ask(compiler, ["--dryrun", "-x", "cu", "-c", "/dev/null", "-o", "/dev/null"]);
  const setting = (name) => new RegExp(`^#\\$ ${name}=(.*)$`, "m").exec(plan)?.[1].trim();
  const top = setting("TOP");
  if (version === undefined || top === undefined || !existsSync(top)) {
    throw new SetupFailure(`${compiler} does not answer as nvcc does; name another one in CUDACXX.`);
  }
  const folder = realpathSync(top);
  const named = (name, flag) => [...(setting(name) ?? "").matchAll(flag)].map(([, found]) => found);
  const own = {
    headers: existing([...named("INCLUDES", /"-I([^"]+)"/g), ...named("SYSTEM_INCLUDES", /"(\/[^"]+)"/g)]),
    libraries: existing(named("LIBRARIES", /"-L([^"]+)"/g)),
  };
  const more = [folder, ...pythonFolders];
  const inside = path.join(folder, "bin/nvcc");
  return {
    nvcc: isProgram(inside) ? inside : compiler,
    version,
    folder,
    own, // where nvcc itself looks
    headers: existing([
      ...own.headers,
      ...more.map(below("include")),
      ...more.map(below("include/cccl")),
      "/usr/include",
    ]),
    libraries: existing([
      ...own.libraries,
      ...["lib64", "lib64/stubs", "lib", "lib/stubs"].flatMap((name) => more.map(below(name))),
      ...systemLibraries(),
    ]),
    programs: existing(
      [setting("CICC_PATH"), path.join(folder, "nvvm/bin"), path.join(folder, "bin")].filter(Boolean),
    ),
    architectures: numbersIn(ask(compiler, ["--list-gpu-arch"])),
  };
}

const below = (name) => (folder) => path.join(folder, name);

function systemLibraries() {
  const triple = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" }[process.arch];
  return [`/usr/lib/${triple}`, "/usr/lib64", "/usr/lib"];
}

function existing(folders) {
  return [...new Set(folders.filter((each) => existsSync(each)).map((each) => realpathSync(each)))];
}

function numbersIn(text) {
  const numbers = [...text.matchAll(/compute_(\d+)\b/g)].map(([, number]) => Number(number));
  return [...new Set(numbers)].sort((left, right) => left - right);
}

function ask(program, args) {
  try {
    return execFileSync("/bin/sh", ["-c", 'exec "$0" "$@" 2>&1', program, ...args], { encoding: "utf8" });
  } catch (error) {
    throw new SetupFailure(
      `${program} ${args[0]} fails; is it nvcc?`,
      String(error.stdout ?? "")
        .split("\n")
        .slice(-5),
    );
  }
}

function hasPart(toolkit, { header, libraries = [], program }) {
  if (program !== undefined && !toolkit.programs.some((folder) => isProgram(path.join(folder, program))))
    return false;
  if (header !== undefined && headerFolder(toolkit, header) === undefined) return false;
  return libraries.every((name) => libraryFile(toolkit, name) !== undefined);
}

// The folder in which `header` is found.
export function headerFolder({ headers }, header) {
  return headers.find((folder) => existsSync(path.join(folder, header)));
}

// The file of a library: by the name that linkers look for, or, as pip's packages have it, by
// that of the newest version.
export function libraryFile({ libraries }, name) {
  for (const folder of libraries) {
    const names = listOf(folder).filter((each) => each === name || each.startsWith(`${name}.`));
    const best = names.includes(name) ? name : names.sort().at(-1);
    if (best !== undefined) return path.join(folder, best);
  }
  return undefined;
}

// The functions that the driver's header declares.
export function driverFunctions(toolkit) {
  const folder = headerFolder(toolkit, "cuda.h");
  if (folder === undefined) return [];
  return [...new Set(readFileSync(path.join(folder, "cuda.h"), "utf8").match(/\bcu[A-Z]\w+/g))].sort();
}

function missingSentence({ version, folder }, parts) {
  const [major, minor] = version.split(".");
  const versioned = parts.map(({ apt }) => (apt === "libnccl-dev" ? apt : `${apt}-${major}-${minor}`));
  const apt = [...new Set(versioned)].join(" ");
  const byApt = `\`apt-get install ${apt}\` with NVIDIA's archive`;
  const byPip = `\`python3 -m venv cuda && ${pipCommand(parts, "cuda")}\` and --cuda-python cuda (or INFERNODE_CUDA_PYTHON)`;
  const brings = `${byApt} brings ${parts.length > 1 ? "them" : "it"}`;
  const remedy = Number(major) === 13 ? `${brings}, and so does ${byPip}` : brings;
  return `the CUDA toolkit ${version} in ${folder} lacks ${parts.map(({ what }) => what).join(" and ")}: ${remedy}.`;
}

// NVIDIA's names of CUDA 13 have no suffix; NCCL's has one, and other versions.
function pipCommand(parts, folder) {
  const names = parts.map(({ pip }) => (pip.endsWith("-cu13") ? pip : `${pip}==13.*`));
  return `${folder}/bin/pip install ${names.map((name) => `"${name}"`).join(" ")}`;
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function listOf(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
