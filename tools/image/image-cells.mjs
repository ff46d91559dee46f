// What the image's root file system holds and how large it is, and the command line in it.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { startHub } from "../hub-emulator/index.mjs";
import { cell, demand } from "../package/cells.mjs";
import { run } from "../setup/command.mjs";
import { root as checkout, paths } from "../setup/paths.mjs";
import { say } from "../setup/steps.mjs";
import { runIn } from "./container.mjs";

const kMostMegabytes = 400;
const kApplication = "opt/infernode/node_modules";

// How a user's container runs: the image's user, nothing writable, another directory.
export function asUser({ config }, more = {}) {
  const user = `${config.user}:${config.user}`;
  return { env: config.env, user, readOnly: true, directory: "/usr/share", ...more };
}

export async function imageCells(image) {
  await holds(image);
  await commandLine(image);
  await bakes(image);
}

async function holds({ folder }) {
  await cell(`the CPU layout takes ${kMostMegabytes} MB at most`, [], async () => {
    const parts = {
      Node: "usr/local/bin/node",
      JavaScript: `${kApplication}/infernode/dist`,
      "embedded model": `${kApplication}/infernode/assets`,
      "native files": `${kApplication}/@infernode`,
    };
    const sizes = {};
    for (const [name, place] of Object.entries(parts))
      sizes[name] = await megabytes(path.join(folder, place));
    const total = await megabytes(folder);
    const rest = total - Object.values(sizes).reduce((sum, size) => sum + size, 0);
    const told = Object.entries({ ...sizes, "Debian and the rest": rest });
    say(`${total.toFixed(0)} MB: ${told.map(([name, size]) => `${name} ${size.toFixed(1)}`).join(", ")}`);
    demand(total <= kMostMegabytes, `it takes ${total.toFixed(0)} MB`);
  });
  await cell("there is a shell, and no compiler", [], async () => {
    const tools = ["cc", "c++", "gcc", "g++", "clang", "make", "ninja", "cmake", "python3", "npm"];
    const { code, text } = await runIn(folder, [
      "/bin/sh",
      "-c",
      `command -v ${tools.join(" ")}; test -x /bin/sh`,
    ]);
    demand(code === 0 && text === "", `it exits ${code} and finds ${text}`);
    const native = readdirSync(path.join(folder, kApplication, "@infernode"));
    demand(native.length === 1, `there are ${native.length} packages of native files`);
  });
}

async function megabytes(place) {
  const told = await run("du", ["--bytes", "--summarize", place], { what: "du" });
  return Number.parseInt(told, 10) / 1e6;
}

async function commandLine(image) {
  await cell("infernode generate, not root, nothing writable, another directory", [], async () => {
    const { code, text } = await runIn(
      image.folder,
      ["infernode", "generate", "Once upon a time", "--max-tokens", "12", "--temperature", "0", "--json"],
      asUser(image),
    );
    demand(code === 0 && text.includes('"text":", a little boy '), `it exits ${code}: ${text}`);
  });
  await cell("a chat, by infernode-chat's own process", [], async () => {
    const messages = [{ role: "user", content: "Who is Mia?" }];
    const job = { input: { messages, sampling_params: { max_tokens: 8, temperature: 0 } } };
    const { code, text } = await runIn(
      image.folder,
      ["infernode", "worker", "--test_input", JSON.stringify(job)],
      asUser(image),
    );
    demand(code === 0 && /"role":"assistant","content":"[^"]+"/.test(text), `it exits ${code}: ${text}`);
  });
  await cell("as root too, as Amazon SageMaker starts images", [], async () => {
    const job = JSON.stringify({ input: { prompt: "Tell me a story.", params: { max_tokens: 4 } } });
    const options = asUser(image, { user: "0:0" });
    const { code, text } = await runIn(image.folder, ["infernode", "worker", "--test_input", job], options);
    demand(code === 0 && text.includes('"model":"tinytale"'), `it exits ${code}: ${text}`);
  });
  await cell("serve without a key: only where the platform authenticates", [], async () => {
    const command = ["infernode", "serve", "missing.gguf", "--host", "0.0.0.0"];
    const { env } = image.config;
    const open = await runIn(image.folder, command, asUser(image));
    demand(open.code === 2 && open.text.includes("--behind-gateway"), `it exits ${open.code}: ${open.text}`);
    for (const platform of [{ K_SERVICE: "stories" }, { AIP_HTTP_PORT: "8080" }]) {
      const { code, text } = await runIn(
        image.folder,
        command,
        asUser(image, { env: { ...env, ...platform } }),
      );
      demand(
        code === 1 && text.includes("missing.gguf"),
        `${Object.keys(platform)}: it exits ${code}: ${text}`,
      );
    }
  });
}

// The step that bakes a model in, on a copy of the image.
async function bakes(image) {
  const folder = mkdtempSync(path.join(paths.state, "image/baked-"));
  const context = mkdtempSync(path.join(paths.state, "image/context-"));
  try {
    await run("cp", ["-a", `${image.folder}/.`, folder], { what: "cp" });
    cpSync(path.join(checkout, "docker"), path.join(context, "docker"), { recursive: true });
    const [model] = readdirSync(path.join(checkout, "assets")).filter((name) => name.endsWith(".gguf"));
    cpSync(path.join(checkout, "assets", model), path.join(context, "story.gguf"));
    const bake = (name, env = {}) =>
      runIn(folder, ["/context/docker/model.sh", "/context", name], { env, binds: { "/context": context } });
    await cell("a model that is baked in answers where MODEL_NAME is unset", [], async () => {
      const baked = await bake("story.gguf");
      demand(baked.code === 0, `model.sh exits ${baked.code}: ${baked.text}`);
      const job = JSON.stringify({ input: { prompt: "Tell me a story.", params: { max_tokens: 4 } } });
      const { code, text } = await runIn(folder, ["infernode", "worker", "--test_input", job], asUser(image));
      demand(code === 0 && text.includes('"model":"story"'), `it exits ${code}: ${text}`);
    });
    await cell("a model of a hub is downloaded and baked in", [], () => bakesDownload(image, folder, bake));
    await cell("nothing else is baked in, and it is said why", [], async () => {
      for (const [name, reason] of kRefused) {
        const { code, text } = await bake(name);
        demand(code === 1 && text.includes(reason), `MODEL=${name} exits ${code}: ${text}`);
      }
      demand(!existsSync(path.join(folder, "models/infernode")), "a refused file lies in /models");
    });
  } finally {
    for (const made of [folder, context]) rmSync(made, { recursive: true, force: true });
  }
}

// From an emulated hub, whose repository has models of three types: the one that is named is
// baked in with all its parts, and nothing of the download is left behind.
async function bakesDownload(image, folder, bake) {
  const [model] = readdirSync(path.join(checkout, "assets")).filter((name) => name.endsWith(".gguf"));
  const story = readFileSync(path.join(checkout, "assets", model));
  const parts = ["Fox-F16-00001-of-00002.gguf", "Fox-F16-00002-of-00002.gguf"];
  const files = {
    "Fox-Q8_0.gguf": story,
    "Fox-Q4_0.gguf": "GGUF",
    ...Object.fromEntries(parts.map((name) => [name, "GGUF"])),
  };
  const hub = await startHub({ "acme/Fox-GGUF": { files } });
  try {
    const divided = await bake("hf:acme/Fox-GGUF:F16", { HF_ENDPOINT: hub.endpoint });
    demand(divided.code === 0, `of a model in two parts it exits ${divided.code}: ${divided.text}`);
    const baked = await bake("hf:acme/Fox-GGUF:Q8_0", { HF_ENDPOINT: hub.endpoint });
    demand(baked.code === 0, `model.sh exits ${baked.code}: ${baked.text}`);
    const unknown = await bake("hf:acme/Bear-GGUF", { HF_ENDPOINT: hub.endpoint });
    demand(unknown.code === 1 && unknown.text.includes("acme/Bear-GGUF"), `of none it says ${unknown.text}`);
  } finally {
    await hub.close();
  }
  const inParts = readdirSync(path.join(folder, "models/Fox-F16"));
  demand(inParts.sort().join() === parts.join(), `of a model in two parts it baked in ${inParts}`);
  demand(readFileSync(path.join(folder, "models/Fox-Q8_0.gguf")).equals(story), "another file was baked in");
  demand(readdirSync(path.join(folder, "tmp")).length === 0, "the download's cache is left in /tmp");
  const job = JSON.stringify({ input: { prompt: "Tell me a story.", params: { max_tokens: 4 } } });
  const { code, text } = await runIn(folder, ["infernode", "worker", "--test_input", job], asUser(image));
  demand(code === 0 && text.includes('"model":"Fox-Q8_0"'), `it exits ${code}: ${text}`);
}

const kRefused = [
  ["ftp://example.com/model.gguf", "is no address that models are downloaded from"],
  ["org/model-GGUF", "is not in the build context"],
  ["../model.gguf", "must be a path below the build context"],
  ["docker/infernode", "is no GGUF file"],
  ["docker", "is a folder without a GGUF file"],
];
