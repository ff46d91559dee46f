// `infernode serve` in a process of its own, for benchmarks of the endpoint: where it listens, what CPU
// time it and its children have used, and what its event loop says of itself (loop-monitor.mjs).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { root } from "./places.mjs";

const kTickMs = 10; // of /proc's clock

/**
 * @param args of `infernode serve` @param cpus a list as taskset takes it; undefined: all
 * @param nodeArgs of Node
 */
export async function startServe({ args, cpus, env = {}, nodeArgs = [] }) {
  const command = [process.execPath, ...nodeArgs, path.join(root, "dist/cli/main.js"), "serve", ...args];
  const pinned = cpus === undefined ? command : ["taskset", "-c", cpus, ...command];
  const [program, ...rest] = [...pinned, "--port", "0", "--no-playground"];
  const child = spawn(program, rest, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text) => {
      said = (said + text).slice(-4000);
    });
  const ended = once(child, "close");
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  const listens = () => /Serving on http:\/\/[^:]+:(\d+)/.exec(said)?.[1];
  while (listens() === undefined && child.exitCode === null)
    await Promise.race([once(child.stdout, "data"), once(child.stderr, "data"), ended]);
  if (child.exitCode !== null) throw new Error(`infernode serve ended: ${said}`);
  return {
    port: Number(listens()),
    pid: child.pid,
    cpuMs: () => cpuMsOf(child.pid),
    /** What loop-monitor.mjs tells since it was last asked. */
    async asked(question) {
      child.send(question);
      return (await once(child, "message"))[0];
    },
    async stop() {
      child.kill("SIGTERM");
      await ended;
      process.off("exit", kill);
    },
  };
}

/** Of a process and of the children that it has now. */
function cpuMsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const own = (Number(fields[11]) + Number(fields[12])) * kTickMs;
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean),
  );
  return children.reduce((sum, child) => sum + cpuMsOf(child), own);
}
