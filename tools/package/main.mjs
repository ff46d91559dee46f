// `npm run package`: the tarballs that are published. Prints the path of each.
//   --platform NAME       of a platform package, again for several; this machine's by default
//   --native FOLDER       native files that a build left there, instead of building them
//   --cpu-variants A,B    build these CPU variants alone (by llama.cpp's names)
//   --backend NAME=FOLDER a package of one backend library more, e.g. cuda-sm90=.build/release/bin
//   --repository URL      of the sources, e.g. https://github.com/owner/name: npm publishes with
//                         provenance only what names the repository that it was built in
//   --out FOLDER          .build/packages by default
// Backends alone make no other package. The main package names the platform packages that
// are made with it.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { runMain, SetupFailure } from "../setup/failure.mjs";
import { withLock } from "../setup/lock.mjs";
import { ensurePackages, runNpm } from "../setup/packages.mjs";
import { paths, root } from "../setup/paths.mjs";
import { ensureTypeScript } from "../setup/typescript.mjs";
import { backendLibraryIn, refuseForeignLibrary, refuseOtherArchitectures } from "./backend-library.mjs";
import { placeBuildSources } from "./build-sources.mjs";
import {
  backendManifest,
  kMainFiles,
  mainManifest,
  packageName,
  platformManifest,
  sourcesAt,
} from "./manifests.mjs";
import { buildNativeFiles, nativeFilesIn, placeNativeFiles } from "./native-files.mjs";
import { nativeNotices, notices } from "./notices.mjs";
import { kThisPlatform } from "./platforms.mjs";

const several = { type: "string", multiple: true, default: [] };
const kOptions = {
  platform: several,
  native: several,
  backend: several,
  "cpu-variants": { type: "string" },
  repository: { type: "string" },
  out: { type: "string" },
};

await runMain(async () => {
  const { values } = parseArgs({ options: kOptions });
  const place = {
    out: path.resolve(values.out ?? path.join(root, ".build/packages")),
    repository: values.repository,
  };
  mkdirSync(place.out, { recursive: true });
  const onlyBackends = values.backend.length > 0 && values.platform.length + values.native.length === 0;
  const native = onlyBackends ? [] : await nativeFilesOf(values);
  const tarballs = native.length > 0 ? [await packMain(native, place)] : [];
  for (const { platform, files } of native) tarballs.push(await packPlatform(platform, files, place));
  for (const given of values.backend) tarballs.push(await packBackend(given, place));
  for (const tarball of tarballs) process.stdout.write(`${tarball}\n`);
});

// Resolves to { platform, files } of each platform package, the asked-for ones first.
async function nativeFilesOf({ platform: asked, native, "cpu-variants": variants }) {
  const given = new Map(native.map(nativeFilesIn).map((found) => [found.platform, found]));
  const platforms = new Set([...asked, ...given.keys()]);
  if (platforms.size === 0) platforms.add(kThisPlatform);
  return withLock(async () => {
    await ensurePackages();
    await ensureTypeScript();
    const all = [];
    for (const platform of platforms) {
      const build = () => buildNativeFiles(platform, variants?.split(","));
      all.push(given.get(platform) ?? { platform, files: await build() });
    }
    return all;
  });
}

function packMain(native, place) {
  const manifest = mainManifest(native.map(({ platform }) => platform));
  return pack("infernode", manifest, place, (folder) => {
    for (const name of kMainFiles)
      cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
    placeBuildSources(folder);
    writeFileSync(path.join(folder, "NOTICES.md"), notices());
  });
}

function packPlatform(platform, files, place) {
  return pack(packageName(platform), platformManifest(platform), place, async (folder) => {
    await placeNativeFiles(files, folder, platform);
    cpSync(path.join(root, "LICENSE"), path.join(folder, "LICENSE"));
  });
}

// `given` is NAME=FOLDER.
function packBackend(given, place) {
  const [, name, folder] = /^([^=]+)=(.+)$/.exec(given) ?? [];
  if (name === undefined) throw new SetupFailure(`--backend takes NAME=FOLDER, got ${given}.`);
  const { platform, file } = backendLibraryIn(folder, name);
  const manifest = backendManifest(platform, name, path.basename(file));
  return pack(manifest.name, manifest, place, async (stage) => {
    await refuseForeignLibrary(file, platform);
    await refuseOtherArchitectures(file, name);
    await placeNativeFiles([file], stage, platform);
    cpSync(path.join(root, "LICENSE"), path.join(stage, "LICENSE"));
  });
}

// Lays a package out and packs it. `fill` writes its files into the folder it is given.
async function pack(name, manifest, { out, repository }, fill) {
  const folder = path.join(paths.state, "package-stage", name.replace("/", "-"));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "NOTICES.md"), nativeNotices());
  await fill(folder);
  writeFileSync(
    path.join(folder, "package.json"),
    `${JSON.stringify({ ...manifest, ...sourcesAt(repository) }, null, 2)}\n`,
  );
  const printed = await runNpm(["pack", "--json", "--ignore-scripts", "--pack-destination", out], {
    cwd: folder,
    what: "npm pack",
  });
  const [{ filename }] = JSON.parse(printed);
  return path.join(out, filename.replace("@", "").replace("/", "-"));
}
