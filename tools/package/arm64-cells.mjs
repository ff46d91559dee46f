// Cells of the package for Linux on arm64, on a machine that is none: npm installs it for
// that CPU, and Node for arm64 runs it under qemu-user. Each emulated CPU has llama.cpp
// choose another variant, and each says what this machine says.
import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { findProgram } from "../setup/command.mjs";
import { cell, demand, skip, succeeds } from "./cells.mjs";
import { makeConsumer } from "./consumer.mjs";
import { kQuiet } from "./npm-cells.mjs";

// Debian's libraries for cross-compiling, which the loader for arm64 is one of.
const kLibraries = "/usr/aarch64-linux-gnu";

// Emulated CPUs by what they have: nothing optional; dot products and 16-bit arithmetic;
// 8-bit matrices besides; scalable vectors of 128, 256 and 512 bits besides.
const kCpus = [
  "cortex-a53",
  "neoverse-n1",
  "max,sve=off",
  "max,sve-default-vector-length=16",
  "max,sve-default-vector-length=32",
  "max",
];

const kProgram = `import { embeddedModelPath, loadModel, setLogListener } from "infernode";
const lines = [];
setLogListener(({ text }) => lines.push(text));
const model = await loadModel(embeddedModelPath());
const engine = await model.createEngine({ slots: 1, threads: 1 });
const prompt = "Once upon a time";
const { text } = await engine.generate({ prompt, maxTokens: 48, temperature: 0 });
await engine.close();
await model.close();
const variant = lines.map((line) => /-ggml-cpu-(.*)-\\w+\\.so/.exec(line)?.[1]).find(Boolean);
console.log(JSON.stringify({ text, variant }));
`;

export async function arm64(dependencies, url, { platforms }) {
  const reason = whyNot(platforms);
  if (reason !== null) return skip("linux-arm64 under qemu", reason);
  const here = makeConsumer(url, { dependencies });
  const there = makeConsumer(url, { dependencies });
  for (const consumer of [here, there]) consumer.write("greedy.mjs", kProgram);
  let expected;
  await cell("npm installs the package of the CPU that it is told", ["npm11"], async ({ npm11 }) => {
    const install = (consumer, args) =>
      succeeds(consumer, process.execPath, [npm11, "install", ...args, ...kQuiet]);
    await install(here, []);
    await install(there, ["--cpu=arm64", "--os=linux", "--libc=glibc"]);
    const installed = readdirSync(path.join(there.folder, "node_modules/@infernode"));
    demand(installed.join() === "linux-arm64", `it installed ${installed}`);
    expected = JSON.parse(await succeeds(here, process.execPath, ["greedy.mjs"]));
  });
  for (const cpu of kCpus) {
    await cell(`linux-arm64 under qemu, ${cpu}, generates`, ["nodeArm64"], async ({ nodeArm64 }) => {
      const said = JSON.parse(await emulated(there, cpu, [nodeArm64, "greedy.mjs"]));
      demand(said.text === expected.text, `${said.variant} says ${said.text}, and x64 ${expected.text}`);
      return said.variant;
    });
  }
  await cell("linux-arm64 under qemu chats", ["nodeArm64"], async ({ nodeArm64 }) => {
    emulateChatProgram(there);
    const { chat } = JSON.parse(await emulated(there, "max", [nodeArm64, "run.mjs"]));
    const { chat: wanted } = JSON.parse(await succeeds(here, process.execPath, ["run.mjs"]));
    demand(chat === wanted, `it says ${chat}, and x64 ${wanted}`);
  });
}

function whyNot(platforms) {
  if (process.arch !== "x64") return "this machine is no x64";
  if (!platforms.includes("linux-arm64")) return "not built; --platform linux-arm64 does";
  if (findProgram("qemu-aarch64") === null) return "qemu-aarch64 is missing (Debian: qemu-user)";
  const loader = path.join(kLibraries, "lib/ld-linux-aarch64.so.1");
  return existsSync(loader) ? null : `${loader} is missing (Debian: crossbuild-essential-arm64)`;
}

function emulated(consumer, cpu, args) {
  return succeeds(consumer, findProgram("qemu-aarch64"), ["-cpu", cpu, "-L", kLibraries, ...args]);
}

// The kernel starts a program for arm64 only where binfmt_misc knows qemu: a script in the
// program's place starts it in qemu everywhere.
function emulateChatProgram({ folder }) {
  const program = path.join(folder, "node_modules/@infernode/linux-arm64/infernode-chat");
  renameSync(program, `${program}.arm64`);
  const command = `exec ${findProgram("qemu-aarch64")} -cpu max -L ${kLibraries} "$0.arm64" "$@"`;
  writeFileSync(program, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
}
