// The image's worker on an emulated platform, as process 1: the Hub's way of starting it,
// its health check, its end by SIGTERM, and what process 1 owes to others.
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { cell, demand } from "../package/cells.mjs";
import { childrenOf, execIn, startIn, zombiesOf } from "./container.mjs";
import { hubPlatform } from "./hub-platform.mjs";
import { asUser } from "./image-cells.mjs";

export async function workerCells(image) {
  const entry = [...image.config.entrypoint, ...image.config.command];
  await cell("process 1, the Hub's environment: jobs, then SIGTERM while one runs", [], () =>
    servesAndLeaves(image, entry, (worker) => worker.signal("SIGTERM")),
  );
  // Debian's sh does not replace itself by the command, and as process 1 hears no SIGTERM.
  await cell("the same through sh -c, SIGTERM to the worker itself", [], () =>
    servesAndLeaves(image, ["/bin/sh", "-c", entry.join(" ")], (worker) => {
      for (const child of childrenOf(worker.init)) process.kill(child, "SIGTERM");
    }),
  );
  await cell("the health check tells a worker that answers from one that hangs or is gone", [], () =>
    healthCheck(image, entry),
  );
  await cell("process 1 reaps orphans, which Node as process 1 would not", [], () => orphans(image, entry));
  await cell("SIGTERM ends what has no handler for it, which Node as process 1 would not", [], () =>
    terminates(image),
  );
}

async function withWorker(image, command, work) {
  const { platform, env } = await hubPlatform();
  const options = asUser(image, { env: { ...image.config.env, ...env, INFERNODE_METRICS_PORT: "0" } });
  const worker = startIn(image.folder, command, options);
  try {
    await work({ platform, worker });
  } catch (thrown) {
    thrown.message += ` (the worker says: ${worker.lines.slice(-6).join(" | ")})`;
    throw thrown;
  } finally {
    worker.kill();
    await worker.ended;
    await platform.close();
  }
}

// Resolves once the platform has a job's result; rejects where the worker ends first.
async function resultOf({ platform, worker }, id) {
  const gone = worker.ended.then((code) => {
    if (!isDone(platform, id)) throw new Error(`the worker ended with ${code} before its job`);
  });
  await Promise.race([gone, platform.until(() => isDone(platform, id), "the job has ended", kJobMs)]);
  const { status, done } = platform.job(id);
  demand(status === "COMPLETED", `the job is ${status}: ${JSON.stringify(done)}`);
}

const kJobMs = 120_000;
const isDone = (platform, id) => platform.job(id).done.length > 0;

async function servesAndLeaves(image, command, terminate) {
  await withWorker(image, command, async (scene) => {
    const { platform, worker } = scene;
    const short = { prompt: "Tell me a story.", params: { max_tokens: 8 } };
    await resultOf(scene, platform.enqueue({ input: short }));
    const long = { prompt: "Once", max_tokens: 900, ignore_eos: true };
    const last = platform.enqueue({ input: { openai_route: "/v1/completions", openai_input: long } });
    await platform.until(() => platform.job(last).takes > 0, "the last job is taken");
    demand(!isDone(platform, last), "the last job ended before it could be disturbed");
    terminate(worker);
    await resultOf(scene, last);
    const code = await worker.ended;
    demand(code === 0, `it exits ${code}`);
    demand(platform.violations.length === 0, platform.violations.join("; "));
  });
}

async function healthCheck(image, entry) {
  await withWorker(image, entry, async ({ worker }) => {
    const [, port] = /port (\d+)/.exec(await worker.said(/Metrics are at port/));
    const check = (metricsPort) =>
      execIn(worker, image.folder, image.config.health, {
        env: { INFERNODE_METRICS_PORT: metricsPort },
        user: asUser(image).user,
      });
    const well = await check(port);
    demand(
      well.code === 0 && well.text === "healthy",
      `of a worker that answers: ${well.code}, ${well.text}`,
    );
    const [node] = childrenOf(worker.init);
    process.kill(node, "SIGSTOP");
    const hung = await check(port);
    process.kill(node, "SIGCONT");
    demand(hung.code === 1 && hung.text.includes("timeout"), `of one that hangs: ${hung.code}, ${hung.text}`);
    const gone = await check(await unusedPort());
    demand(gone.code === 1 && gone.text.includes("ECONNREFUSED"), `of none: ${gone.code}, ${gone.text}`);
  });
}

async function unusedPort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return String(port);
}

const kCommand = ["node", "/opt/infernode/node_modules/infernode/dist/cli/main.js"];

// Leaves an orphan behind in the container, and resolves to whether it lies there as a
// zombie once it has ended.
async function leavesZombie(image, command) {
  let found;
  await withWorker(image, command, async ({ worker }) => {
    await worker.said(/Metrics are at port/);
    // The orphan holds the output open, so that this returns when it has ended.
    await execIn(worker, image.folder, ["/bin/sh", "-c", "(sleep 0.1 &)"]);
    for (let look = 0; look < kLooks && found !== false; look += 1) {
      found = zombiesOf(worker.init).length > 0;
      await delay(kLookMs); // the kernel tells nobody else of a zombie
    }
  });
  return found;
}

const kLooks = 50;
const kLookMs = 20;

async function orphans(image, entry) {
  demand(
    await leavesZombie(image, [...kCommand, "worker"]),
    "Node as process 1 left no zombie: this cell sees none",
  );
  demand(!(await leavesZombie(image, entry)), "a zombie stays");
}

async function terminates(image) {
  const generate = ["generate", "Once", "--max-tokens", "900", "--ignore-eos"];
  const endOf = async (command) => {
    const process = startIn(image.folder, [...command, ...generate], asUser(image));
    await process.said(/no --model given/);
    process.signal("SIGTERM");
    return process.ended;
  };
  const ended = await endOf(["infernode"]);
  demand(ended === 143, `infernode ends with ${ended}`);
  const untouched = await endOf(kCommand);
  demand(
    untouched === 0,
    `Node as process 1 ends with ${untouched}: it heard the signal, and no init is needed`,
  );
}
