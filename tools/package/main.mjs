// `npm run package [-- --out FOLDER] [-- --native FOLDER]`: the tarballs that are published.
// --native takes the native files that a build left in a folder instead of building all
// CPU variants. Prints the path of each tarball.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { runMain, SetupFailure } from "../setup/failure.mjs";
import { withLock } from "../setup/lock.mjs";
import { ensurePackages, runNpm } from "../setup/packages.mjs";
import { paths, root } from "../setup/paths.mjs";
import { ensureTypeScript } from "../setup/typescript.mjs";
import { kPlatforms, mainManifest, packageName, platformManifest } from "./manifests.mjs";
import { buildNativeFiles, nativeFilesIn, placeNativeFiles } from "./native-files.mjs";
import { notices } from "./notices.mjs";

// What the main package carries; README links into docs.
const kMainFiles = ["dist", "assets", "docs", "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"];

await runMain(async () => {
  const { values } = parseArgs({ options: { out: { type: "string" }, native: { type: "string" } } });
  const platform = `${process.platform}-${process.arch}`;
  if (!kPlatforms.includes(platform)) throw new SetupFailure(`No package is made for ${platform}.`);
  const out = path.resolve(values.out ?? path.join(root, ".build/packages"));
  mkdirSync(out, { recursive: true });
  const files = await withLock(async () => {
    await ensurePackages();
    await ensureTypeScript();
    return values.native ? nativeFilesIn(values.native) : await buildNativeFiles(platform);
  });
  const tarballs = [
    await pack("infernode", mainManifest([platform]), out, (folder) => {
      for (const name of kMainFiles)
        cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
    }),
    await pack(packageName(platform), platformManifest(platform), out, async (folder) => {
      await placeNativeFiles(files, folder);
      cpSync(path.join(root, "LICENSE"), path.join(folder, "LICENSE"));
    }),
  ];
  for (const tarball of tarballs) process.stdout.write(`${tarball}\n`);
});

// Lays a package out and packs it. `fill` writes its files into the folder it is given.
async function pack(name, manifest, out, fill) {
  const folder = path.join(paths.state, "package-stage", name.replace("/", "-"));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await fill(folder);
  writeFileSync(path.join(folder, "NOTICES.md"), notices());
  writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const printed = await runNpm(["pack", "--json", "--ignore-scripts", "--pack-destination", out], {
    cwd: folder,
    what: "npm pack",
  });
  const [{ filename }] = JSON.parse(printed);
  return path.join(out, filename.replace("@", "").replace("/", "-"));
}
