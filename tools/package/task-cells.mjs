// Cells of ten tasks, as somebody who has README and docs alone solved each at the first try
// (tasks/, which no formatter touches): at most 20 lines, run from the tarballs.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { kExamplePackages } from "../documents/project.mjs";
import { root } from "../setup/paths.mjs";
import { cell, demand, succeeds } from "./cells.mjs";
import { makeConsumer } from "./consumer.mjs";
import { kQuiet } from "./npm-cells.mjs";

const kTasks = path.join(import.meta.dirname, "tasks");
const kMostLines = 20;

export async function byNewcomers(dependencies, url) {
  const { zod, fastify } = kExamplePackages;
  const consumer = makeConsumer(url, {
    dependencies: { ...dependencies, zod, fastify },
    devDependencies: { "@types/node": "^20.0.0" },
  });
  for (const name of readdirSync(kTasks))
    copyFileSync(path.join(kTasks, name), path.join(consumer.folder, name));
  const node = (args) => succeeds(consumer, process.execPath, args);
  await cell("ten tasks: install, then the first text", ["npm11"], async ({ npm11 }) => {
    await node([npm11, "install", ...kQuiet]);
    const said = await node(["first-text.mjs"]);
    demand(said.length > 20, `it says ${said}`);
  });
  await cell(`ten tasks: each program has ${kMostLines} lines at most`, [], () => shortEnough());
  for (const [name, work] of Object.entries(kWorks)) {
    await cell(`ten tasks: ${name}`, [], () => work(consumer, node));
  }
}

function shortEnough() {
  const programs = readdirSync(kTasks);
  demand(programs.length === 10, `there are ${programs.length} programs`);
  for (const name of programs) {
    const lines = readFileSync(path.join(kTasks, name), "utf8").trimEnd().split("\n").length;
    demand(lines <= kMostLines, `${name} has ${lines} lines`);
  }
}

const kWorks = {
  "stream to a browser": (consumer) =>
    whileRunning(consumer, "stream-to-browser.mjs", 3100, async (at) => {
      demand((await (await fetch(at("/?q=Hi"))).text()).includes("<script>"), "it serves no page");
      const { body } = await fetch(at("/chat?q=Tell%20me%20a%20story."));
      const parts = [];
      for await (const part of body.pipeThrough(new TextDecoderStream())) parts.push(part);
      demand(parts.length > 1 && parts.join("").length > 20, `it sends ${JSON.stringify(parts)}`);
    }),
  cancel: async (_, node) => {
    const [aborted, cancelled] = (await node(["cancel.mjs"])).split("\n");
    demand(/^CANCELLED AbortError \d+$/.test(aborted), `an aborted one says ${aborted}`);
    demand(/^cancelled \d+ 2$/.test(cancelled), `a cancelled one says ${cancelled}`);
  },
  "typed JSON": async (_, node) => {
    const compiler = path.join(root, "node_modules/typescript/bin/tsc");
    const flags = ["--strict", "--skipLibCheck", "false", "--types", "node", "--target", "es2022"];
    await node([compiler, "--module", "nodenext", ...flags, "typed-json.mts"]);
    const said = await node(["typed-json.mjs"]);
    demand(/^\P{Ll}{0,12} (cat|dog|owl) \d+\n$/u.test(said), `it says ${said}`);
  },
  "a tool loop": async (_, node) => {
    const said = await node(["tool-loop.mjs"]);
    demand(/^tool-calls (add|clock)\{/.test(said), `it begins with ${said}`);
    demand(/^(stop|length) {2}/m.test(said), `it ends with ${said}`);
  },
  "resume a chat": async (_, node) => {
    await node(["resume-chat.mjs", "My name is Ann. Who are you, and where do you live?"]);
    const resumed = await node(["resume-chat.mjs", "Where do you live?"]);
    const cached = Number(/cachedPromptTokens: (\d+)/.exec(resumed)?.[1]);
    demand(cached > 20, `of the conversation ${cached} tokens were not computed again`);
  },
  "embeddings search": async (_, node) => {
    const [first] = /text: .*/.exec(await node(["search.mjs"]));
    demand(first.includes("The dog sat in the garden."), `it finds ${first}`);
  },
  "mount in Fastify": (consumer) =>
    whileRunning(consumer, "fastify.mjs", 3101, async (at) => {
      const ask = (body) => {
        const headers = { "content-type": "application/json" };
        return fetch(at("/llm/chat"), { method: "POST", headers, body: JSON.stringify(body) });
      };
      const answer = await (await ask({ messages: [{ role: "user", content: "Who are you?" }] })).text();
      demand(answer.length > 5, `it answers ${answer}`);
      const refused = await ask({ messages: [] });
      const { code } = await refused.json();
      demand(
        refused.status === 400 && code === "INVALID_OPTION",
        `it refuses with ${refused.status}, ${code}`,
      );
      const { finished } = await (await fetch(at("/llm/health"))).json();
      demand(finished === 1, `it counts ${finished} answers`);
    }),
  "a RunPod worker": async (_, node) => {
    const said = await node(["worker.mjs", "--test_input", '{"input": {"topic": "a fox"}}']);
    demand(/Job result: .*"story":"[^"]{20}/.test(said), `it says ${said}`);
  },
  "find out why a model does not fit": doesNotFit,
};

// Starts a server, which must end with 0 by SIGTERM where it handles it.
async function whileRunning({ folder: cwd, env }, program, port, work) {
  const child = spawn(process.execPath, [program], { cwd, env, stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(child, "exit");
  const at = (place) => `http://localhost:${port}${place}`;
  try {
    await answers(at("/"), ended);
    await work(at);
  } finally {
    child.kill("SIGTERM");
  }
  const [code, signal] = await ended;
  demand(code === 0 || signal === "SIGTERM", `it ends with ${code ?? signal}`);
}

// Resolves as soon as a server answers there; rejects where its program ends before.
async function answers(address, ended) {
  let over = false;
  ended.then(() => {
    over = true;
  });
  for (;;) {
    demand(!over, "it ends before it listens");
    const response = await fetch(address).catch(() => undefined);
    if (response !== undefined) return response.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// In less and less scarce address space, until Node starts and the weights fit: 256 slots of
// 1024 tokens need more than is then left.
async function doesNotFit(consumer) {
  const [model] = readdirSync(path.join(root, "assets")).filter((name) => name.endsWith(".gguf"));
  const file = path.join("node_modules/infernode/assets", model);
  for (let kibibytes = 800_000; ; kibibytes *= 1.2) {
    const command = `ulimit -v ${Math.floor(kibibytes)}; exec node does-it-fit.mjs ${file} 256 1024`;
    const said = await succeeds(consumer, "/bin/sh", ["-c", command]).catch(() => "");
    demand(!/^fits/m.test(said), `it fits in ${kibibytes} KiB of address space`);
    demand(kibibytes < 8e6, "it does not run in 8 GB of address space");
    if (!said.includes("kvBytes")) continue;
    demand(/kvBytes: 5\d{8}\D/.test(said), `it says ${said}`);
    demand(/OUT_OF_MEMORY .* Lower slots/.test(said), `it says ${said}`);
    return;
  }
}
