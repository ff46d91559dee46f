// `npm run test:packages [-- --only GROUP]`: makes the packages, serves them from a registry
// on this machine, and installs them into empty projects in every way that users have. Takes
// --native, --platform and --cpu-variants as `npm run package` does. Each group of cells has a
// file. Exits 1 where a cell fails; cells whose tools cannot be fetched are skipped by name.
import { parseArgs } from "node:util";
import { run } from "../setup/command.mjs";
import { runMain, SetupFailure } from "../setup/failure.mjs";
import { arm64 } from "./arm64-cells.mjs";
import { backends, makeBackendTarball } from "./backend-cells.mjs";
import { byBuilding } from "./build-cells.mjs";
import { byBundlers } from "./bundler-cells.mjs";
import { counts } from "./cells.mjs";
import { byReaders } from "./document-cells.mjs";
import { byOthers } from "./manager-cells.mjs";
import { byNpm } from "./npm-cells.mjs";
import { kThisPlatform } from "./platforms.mjs";
import { startRegistry } from "./registry.mjs";
import { byNewcomers } from "./task-cells.mjs";
import { typeScript } from "./type-cells.mjs";

// Each takes the dependencies of a consumer, the URL of the scope's registry, and the
// platforms that have packages there.
const kGroups = {
  npm: byNpm,
  managers: byOthers,
  backends,
  arm64,
  types: typeScript,
  bundlers: byBundlers,
  build: byBuilding,
  documents: byReaders,
  tasks: byNewcomers,
};

const several = { type: "string", multiple: true, default: [] };
const kOptions = {
  native: several,
  platform: several,
  "cpu-variants": { type: "string" },
  only: { type: "string" },
};

await runMain(async () => {
  const { values } = parseArgs({ options: kOptions });
  if (values.only !== undefined && !Object.hasOwn(kGroups, values.only)) {
    throw new SetupFailure(`--only takes one of ${Object.keys(kGroups).join(", ")}, got ${values.only}.`);
  }
  const platforms = [...new Set([kThisPlatform, ...values.platform])];
  const tarballs = await makeTarballs(platforms, values);
  const registry = await startRegistry(tarballs);
  try {
    const dependencies = { infernode: `file:${tarballs[0]}` };
    for (const [name, group] of Object.entries(kGroups)) {
      if (values.only === undefined || values.only === name)
        await group(dependencies, registry.url, { platforms });
    }
  } finally {
    await registry.close();
  }
  process.stdout.write(
    `packages: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
  );
  return counts.failed > 0 ? 1 : 0;
});

// Resolves to the paths of the main package, those of `platforms` in order, and a backend.
async function makeTarballs(platforms, { native, "cpu-variants": variants }) {
  const args = [
    ...platforms.flatMap((platform) => ["--platform", platform]),
    ...native.flatMap((folder) => ["--native", folder]),
    ...(variants === undefined ? [] : ["--cpu-variants", variants]),
  ];
  const made = await run(process.execPath, ["tools/package/main.mjs", ...args], { what: "npm run package" });
  const tarballs = made.split("\n").filter(Boolean);
  if (kThisPlatform !== "linux-x64") return tarballs;
  return [...tarballs, await makeBackendTarball(tarballs[1])];
}
