// What the set-up needs from the system, asked before it is needed: one
// sentence names everything missing and the command that installs it.
import { findProgram, run } from "./command.mjs";
import { SetupFailure } from "./failure.mjs";

const kOldestNode = 20;
const kOldestCmake = [3, 21];

// program(s), any of which will do -> package name per package manager
const needs = {
  cmake: { programs: ["cmake"], what: "cmake", packages: { default: "cmake" } },
  compiler: {
    programs: ["c++", "g++", "clang++"],
    variable: "CXX",
    what: "a C++ compiler",
    packages: { default: "g++", dnf: "gcc-c++", zypper: "gcc-c++", pacman: "gcc", brew: "gcc" },
  },
  make: { programs: ["ninja", "make"], what: "ninja or make", packages: { default: "make" } },
  git: { programs: ["git"], what: "git", packages: { default: "git" } },
  npm: { programs: ["npm"], what: "npm", packages: { default: "npm" } },
  glslc: {
    programs: ["glslc"],
    what: "glslc",
    packages: {
      default: "glslc libvulkan-dev spirv-headers",
      dnf: "glslc vulkan-loader-devel spirv-headers-devel",
    },
  },
  tar: { programs: ["tar"], what: "tar", packages: { default: "tar" } },
};

const managers = [
  ["apt-get", "apt-get install -y"],
  ["dnf", "dnf install -y"],
  ["apk", "apk add"],
  ["zypper", "zypper install -y"],
  ["pacman", "pacman -S --noconfirm"],
  ["brew", "brew install"],
];

export function requireNode() {
  const major = Number.parseInt(process.versions.node, 10);
  if (major < kOldestNode) {
    throw new SetupFailure(
      `Node.js ${kOldestNode} or newer is needed, and this is ${process.versions.node}.`,
    );
  }
}

// `names` are keys of `needs`.
export function requirePrograms(...names) {
  const missing = names.map((name) => needs[name]).filter((need) => !isPresent(need));
  if (missing.length === 0) return;
  const list = missing.map((need) => need.what).join(" and ");
  throw new SetupFailure(`${list} ${missing.length > 1 ? "are" : "is"} missing; ${installHint(missing)}`);
}

// As numbers: [3, 25, 1].
export async function cmakeVersion() {
  const text = await run("cmake", ["--version"], { what: "cmake --version" });
  return (/version (\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? []).slice(1).map((part) => Number(part ?? 0));
}

export async function requireCmakeVersion() {
  const version = await cmakeVersion();
  const [major, minor] = kOldestCmake;
  if (version[0] > major || (version[0] === major && version[1] >= minor)) return;
  throw new SetupFailure(
    `cmake ${major}.${minor} or newer is needed, and this is ${version.join(".")}; ${installHint([needs.cmake])}`,
  );
}

// The newest glslc that is known to fail on one of llama.cpp's shaders.
const kGlslcThatFails = [2023, 2];

// For the Vulkan backend, whose shaders glslc compiles.
export async function requireGlslc() {
  requirePrograms("glslc");
  const text = await run("glslc", ["--version"], { what: "glslc --version" });
  // Debian's packages answer "shaderc 2025.2-1", shaderc's own builds "shaderc v2025.2 ...".
  const [year, part] = (/shaderc v?(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const [failing, last] = kGlslcThatFails;
  if (year === undefined || year > failing || (year === failing && part > last)) return;
  throw new SetupFailure(
    `glslc ${year}.${part} cannot compile llama.cpp's Vulkan shaders, as every one up to ${failing}.${last}; ` +
      "install a newer one (2025.2 can) and put it first on the PATH.",
  );
}

function isPresent(need) {
  if (need.variable && process.env[need.variable]) return true;
  return need.programs.some((program) => findProgram(program) !== null);
}

function installHint(missing) {
  const manager = managers.find(([program]) => findProgram(program) !== null);
  if (!manager) return "install it with your system's package manager, then run the same command again.";
  const [program, command] = manager;
  const packages = missing.map((need) => need.packages[program] ?? need.packages.default);
  const sudo = program !== "brew" && process.getuid?.() !== 0 ? "sudo " : "";
  return `install with \`${sudo}${command} ${packages.join(" ")}\`, then run the same command again.`;
}
