// `npm start` as it is called: by a person, by a program that reads its output, by one that kills it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { root } from "../../tools/setup/paths.mjs";

let started = [];
afterEach(() => {
  for (const { child } of started) child.kill("SIGKILL");
  started = [];
});

// `command` as in a clone, on a free port, its output as pipes.
function start(command, args) {
  const env = { ...process.env, PORT: "0" };
  for (const name of Object.keys(env)) if (/^(npm_|MODEL_NAME$)/.test(name)) delete env[name];
  const child = spawn(command, args, { cwd: root, env, stdio: ["pipe", "pipe", "pipe"] });
  const run = { child, out: "", news: "", ended: once(child, "close").then(([code]) => code) };
  child.stdout.setEncoding("utf8").on("data", (text) => (run.out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (run.news += text));
  started.push(run);
  return run;
}

const byNode = (...args) => start(process.execPath, [path.join(root, "tools/setup/start.mjs"), ...args]);

// The address, once it serves.
async function served(run) {
  for (;;) {
    const [, url] = /Serving on (\S+) /.exec(run.out) ?? [];
    if (url !== undefined) return url;
    if (run.child.exitCode !== null) throw new Error(`it ended: ${run.out}${run.news}`);
    await Promise.race([once(run.child.stdout, "data"), run.ended]);
  }
}

describe("npm start", () => {
  it.each(["SIGINT", "SIGTERM"])("alone writes a story, then serves until %s", async (signal) => {
    const run = byNode();
    const url = await served(run);
    const story = run.out.indexOf("Once upon a time");
    expect(story).toBe(0);
    expect(run.out.indexOf("Serving on")).toBeGreaterThan(20);
    expect(run.news).toContain("now serving until Ctrl-C or SIGTERM");
    expect(await (await fetch(`${url}/`)).text()).toContain("<title>infernode");
    expect(run.out).toContain(`curl -s ${url}/v1/chat/completions`);
    run.child.kill(signal);
    expect(await run.ended).toBe(0);
  });

  it("with arguments generates and ends", async () => {
    const run = byNode("A fox", "-n", "4", "--seed", "1");
    expect(await run.ended).toBe(0);
    expect(run.out).toMatch(/^A fox./);
    expect(run.out).not.toContain("Serving");
  });

  it("ends after the story where nobody reads its output any more", async () => {
    const run = byNode();
    run.child.stdout.destroy();
    expect(await run.ended).toBe(0);
    expect(run.news).not.toContain("now serving");
  });

  it("ends its server where npm is killed, and leaves the output to nobody", async () => {
    const run = start("npm", ["start", "--silent"]);
    const url = await served(run);
    run.child.kill("SIGKILL");
    await run.ended; // the pipes are closed, so nothing that npm started holds them
    await expect(fetch(url)).rejects.toThrow();
  });
});
