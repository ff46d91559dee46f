// Carries out the instructions of one stage of the Dockerfile in a folder: a copy of the
// base that debootstrap made. The scripts of RUN run in a chroot, COPY copies.
import { cpSync, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { SetupFailure } from "../setup/failure.mjs";
import { root as checkout, paths } from "../setup/paths.mjs";
import { runIn } from "./container.mjs";
import { expand, pairsOf } from "./dockerfile.mjs";

// `stage` is parseDockerfile()'s; `folder` already holds its base. `args` are build
// arguments; `sources(stage, path)` says which file or folder stands for a path of another
// stage. Resolves to the image's configuration.
export async function carryOut(stage, folder, { args = {}, sources }) {
  const state = { folder, sources, given: args, values: {}, env: {}, labels: {}, user: "0", directory: "/" };
  for (const instruction of stage.instructions) {
    const work = kinds[instruction.keyword];
    if (work === undefined) {
      throw new SetupFailure(`Dockerfile:${instruction.line}: ${instruction.keyword} is not known here.`);
    }
    await work(state, instruction);
  }
  const { env, labels, user, entrypoint, command, health } = state;
  return { env, labels, user, entrypoint, command, health };
}

const kinds = {
  ARG(state, { text }) {
    const [name] = text.split("=");
    Object.assign(state.values, pairsOf(text, state.values));
    if (state.given[name] !== undefined) state.values[name] = state.given[name];
  },
  ENV(state, { text }) {
    Object.assign(state.env, pairsOf(text, state.values));
  },
  LABEL(state, { text }) {
    Object.assign(state.labels, pairsOf(text, state.values));
  },
  EXPOSE() {},
  WORKDIR(state, { text }) {
    state.directory = text;
    mkdirSync(path.join(state.folder, text), { recursive: true });
  },
  USER(state, { text }) {
    state.user = expand(text, state.values);
  },
  ENTRYPOINT(state, { text }) {
    state.entrypoint = JSON.parse(text);
  },
  CMD(state, { text }) {
    state.command = JSON.parse(text);
  },
  HEALTHCHECK(state, { text }) {
    state.health = JSON.parse(text.replace(/^CMD /, ""));
  },
  COPY: copy,
  RUN: runScript,
};

// Copies what a stage copies out of the build context, as if `folder` were its working
// directory.
export function copySources(stage, folder) {
  const own = ({ keyword, flags }) => keyword === "COPY" && flags.length === 0;
  for (const instruction of stage.instructions.filter(own)) copy({ folder, directory: "/" }, instruction);
}

function copy(state, { flags, text }) {
  const { from } = Object.fromEntries(flags);
  const words = text.split(/\s+/);
  const target = path.resolve(state.directory, words.pop());
  const intoFolder = text.endsWith("/");
  for (const word of words.flatMap((each) => (from === undefined ? matching(each) : [each]))) {
    const source = from === undefined ? path.join(checkout, word) : state.sources(from, word);
    const whole = statSync(source).isDirectory();
    const place = intoFolder && !whole ? path.join(target, path.basename(word)) : target;
    cpSync(source, path.join(state.folder, place), { recursive: true, verbatimSymlinks: true });
  }
}

// The paths of the build context that a path with * stands for, as in "*.md".
function matching(word) {
  if (!word.includes("*")) return [word];
  const pattern = new RegExp(`^${word.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`);
  return readdirSync(checkout).filter((name) => pattern.test(name));
}

// Arguments are a script's environment, as the Dockerfile's own are.
async function runScript(state, { flags, text, line }) {
  const binds = {};
  for (const [, mount] of flags) {
    const {
      type,
      source = ".",
      target,
      from,
    } = Object.fromEntries(mount.split(",").map((part) => part.split("=")));
    if (type !== "bind")
      throw new SetupFailure(`Dockerfile:${line}: a mount of type ${type} is not known here.`);
    binds[target] = from === undefined ? path.join(checkout, source) : state.sources(from, source);
  }
  const command = ["/bin/sh", "-c", text];
  const env = { ...state.values, ...state.env, ...networkSettings() };
  const { code, text: said } = await runIn(state.folder, command, { env, binds, directory: state.directory });
  // Empty folders again, outside the namespace; anything else must not be removed.
  for (const target of Object.keys(binds)) rmdirSync(path.join(state.folder, target));
  if (code === 0) return;
  throw new SetupFailure(`Dockerfile:${line}: ${text} exits ${code}.`, said.split("\n").slice(-12));
}

// What a build needs of this machine to reach package archives.
function networkSettings() {
  const names = Object.keys(process.env).filter((name) => /^(https?|no)_proxy$/i.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

// The Debian that stands for the base image: debootstrap's smallest, without what the slim
// images leave out too. Made once; later calls return the folder at once.
export async function ensureDebian(run) {
  const folder = path.join(paths.state, "image/debian-12");
  if (existsSync(folder)) return folder;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(path.dirname(folder), { recursive: true });
  await run("debootstrap", ["--variant=minbase", "bookworm", partial], { what: "debootstrap" });
  for (const place of [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "var/cache/apt",
    "var/lib/apt/lists",
  ])
    rmSync(path.join(partial, place), { recursive: true, force: true });
  mkdirSync(path.join(partial, "var/lib/apt/lists/partial"), { recursive: true });
  mkdirSync(path.join(partial, "var/cache/apt/archives/partial"), { recursive: true });
  await run("mv", [partial, folder], { what: "mv" });
  return folder;
}
