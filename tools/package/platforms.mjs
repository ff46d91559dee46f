// The platforms that packages are made for, and how each is built here: with this machine's
// compiler, or with another one that builds for it.
import { closeSync, openSync, readSync } from "node:fs";
import path from "node:path";
import { findProgram } from "../setup/command.mjs";
import { SetupFailure } from "../setup/failure.mjs";
import { root } from "../setup/paths.mjs";

export const kPlatforms = ["linux-x64", "linux-arm64"];

export const kThisPlatform = `${process.platform}-${process.arch}`;

// Cross-compilers: the prefix of their programs, cmake's file, Debian's package.
const kCross = {
  "linux-arm64": {
    prefix: "aarch64-linux-gnu-",
    toolchain: path.join(root, "cmake/linux-arm64.cmake"),
    debian: "crossbuild-essential-arm64",
  },
};

// { prefix, toolchain }: of its binutils, and cmake's toolchain file where it is not this
// machine's platform. Throws where the compiler is missing.
export function buildToolsFor(platform) {
  if (!kPlatforms.includes(platform)) {
    throw new SetupFailure(`No package is made for ${platform}, only for ${kPlatforms.join(" and ")}.`);
  }
  if (platform === kThisPlatform) return { prefix: "" };
  const cross = kCross[platform];
  if (cross === undefined) throw new SetupFailure(`${kThisPlatform} cannot build ${platform}.`);
  if (findProgram(`${cross.prefix}g++`) === null) {
    throw new SetupFailure(
      `${platform} needs ${cross.prefix}g++; install it with \`apt-get install ${cross.debian}\`.`,
    );
  }
  return cross;
}

// e_machine of an ELF header.
const kMachines = { 62: "linux-x64", 183: "linux-arm64" };

// The platform that a library or program is for; null where it is no ELF file.
export function platformOf(file) {
  const header = Buffer.alloc(20);
  const descriptor = openSync(file, "r");
  try {
    readSync(descriptor, header, 0, header.length, 0);
  } finally {
    closeSync(descriptor);
  }
  if (header.toString("latin1", 0, 4) !== "\x7fELF") return null;
  return kMachines[header.readUInt16LE(18)] ?? null;
}
