// A library with one ggml backend more than the platform package has, for a package of its
// own that the user chooses: CUDA for one GPU architecture. Found in a build's folder by its
// private name, which says of which llama.cpp it is a part.
import { existsSync } from "node:fs";
import path from "node:path";
import { run } from "../setup/command.mjs";
import { spelled } from "../setup/cuda-architectures.mjs";
import { architecturesIn } from "../setup/cuda-build.mjs";
import { SetupFailure } from "../setup/failure.mjs";
import { readPin } from "../setup/llama-source.mjs";
import { kBackends } from "./manifests.mjs";
import { buildToolsFor, platformOf } from "./platforms.mjs";

const pin = () => readPin().tree.slice(0, 8);

// { platform, file } of the library for the package `name`, one of kBackends.
export function backendLibraryIn(folder, name) {
  if (!kBackends.includes(name)) {
    throw new SetupFailure(`A backend's package is one of ${kBackends.join(", ")}, got ${name}.`);
  }
  const file = path.join(folder, `libinfernode-ggml-${name.split("-")[0]}-${pin()}.so`);
  if (!existsSync(file)) throw new SetupFailure(`--backend ${name} needs ${file}, which is missing.`);
  return { platform: platformOf(file), file };
}

// A package for one architecture holds machine code for it: else npm would install, beside a GPU,
// a library that the loader refuses. A library without any device code is let through, which is
// how the matrix tries such packages on machines without CUDA.
export async function refuseOtherArchitectures(file, name) {
  const wanted = /^cuda-sm(\d+)$/.exec(name)?.[1];
  if (wanted === undefined) return;
  const held = await architecturesIn(file);
  if (held.sass.length + held.ptx.length === 0) return;
  if (held.sass.some((each) => each.replace(/[af]$/, "") === wanted)) return;
  throw new SetupFailure(
    `${file} holds ${spelled(held)}, and ${name} is for machine code of ${wanted}: ` +
      `build it with npm run build:cuda -- --arch ${wanted}.`,
  );
}

// The platform package's libggml-base, which is loaded by then, must be the one it needs.
export async function refuseForeignLibrary(file, platform) {
  const { prefix } = buildToolsFor(platform);
  const needed = await run(`${prefix}objdump`, ["-p", file], { what: "objdump" });
  const base = `libinfernode-ggml-base-${pin()}.so`;
  if (new RegExp(`^\\s*NEEDED\\s+${base}$`, "m").test(needed)) return;
  throw new SetupFailure(`${file} does not need ${base}: it was built for another llama.cpp.`);
}
