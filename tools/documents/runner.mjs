// Runs a document's blocks in a project, one after another, each in a process of its own:
// JavaScript by Node as it stands, shell by sh. A block's first line names its file where
// it is a comment such as "// server.mjs". Types are judged by tools/documents/types.mjs.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { brokenClaim, claimsOf } from "./blocks.mjs";

const kLimit = 300_000; // ms: a block that hangs, on a busy machine
const kNotAsked = "the block before did not get so far";
const kPoll = 50; // ms between two looks at a port

/**
 * @param {{ folder: string, env: Record<string, string> }} project
 * @param {ReturnType<typeof import("./blocks.mjs").blocksOf>} blocks of one document
 * @param {string} node the program that runs JavaScript
 * @param {(block: object, problem: string | undefined) => void} onResult
 */
export async function runBlocks(project, blocks, node, onResult) {
  for (let at = 0; at < blocks.length; at += 1) {
    const block = blocks[at];
    if (block.kind !== "run" || block.notRun) continue;
    if (block.isFile) {
      fileOf(project.folder, block, block.code);
      onResult(block, undefined); // the next one runs it
      continue;
    }
    if (!block.staysRunning) {
      onResult(block, await problemOf(start(project, block, node)));
      continue;
    }
    const next = blocks[at + 1];
    at += 1;
    const [server, client] = await runPair(project, block, next, node);
    onResult(block, server);
    onResult(next, client);
  }
}

/** Both problems: of the server, which is told to leave once the next block has ended, and of that. */
async function runPair(project, block, next, node) {
  const [, port] = /(?:localhost|127\.0\.0\.1):(\d+)/.exec(next.code) ?? [];
  if (port === undefined) return ["the next block names no localhost:PORT", kNotAsked];
  if (!(await becomesFree(port))) return [`port ${port} is taken by another program`, kNotAsked];
  const server = start(project, block, node);
  if (!(await opened(port, server))) {
    const problem = await problemOf(server);
    return [problem ?? `it ended before port ${port} was open`, kNotAsked];
  }
  const client = await problemOf(start(project, next, node));
  server.leave();
  return [await problemOf(server, "SIGTERM"), client];
}

/** Starts a block. `ended` resolves to how; `leave` tells it and its children to leave. */
function start({ folder, env }, block, node) {
  const code = [block.before, block.code].filter(Boolean).join("\n");
  const [command, args] =
    block.label === "sh" ? ["sh", ["-eu", "-c", code]] : [node, [fileOf(folder, block, code)]];
  const child = spawn(command, args, { cwd: folder, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (text) => {
      said[name] += text;
    });
  }
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // It has ended.
    }
  };
  const timer = setTimeout(() => signal("SIGKILL"), kLimit);
  const ended = once(child, "close").then(([code, by]) => {
    clearTimeout(timer);
    signal("SIGKILL"); // what it left behind
    return { code, signal: by, ...said };
  });
  return { ended, claims: claimsOf(block), leave: () => signal("SIGTERM") };
}

function fileOf(folder, block, code) {
  const [, name = `block-${block.line}.mjs`] = /^\/\/ ([\w-]+\.mjs)\n/.exec(block.code) ?? [];
  writeFileSync(path.join(folder, name), code);
  return name;
}

async function problemOf({ ended, claims }, mayEndBy) {
  const { code, signal, stdout, stderr } = await ended;
  const tail = `${stderr}${stdout}`.slice(-1500).trim();
  if (code !== 0 && (signal === null || signal !== mayEndBy)) {
    return signal === "SIGKILL" ? `it hangs: ${tail}` : `it ends with ${signal ?? code}: ${tail}`;
  }
  const claim = brokenClaim(claims, stdout);
  return claim === undefined ? undefined : `it does not print "${claim}" in its place: ${tail}`;
}

async function opened(port, { ended }) {
  let alive = true;
  ended.then(() => {
    alive = false;
  });
  while (alive) {
    if (await isOpen(port)) return true;
    await new Promise((resolve) => setTimeout(resolve, kPoll));
  }
  return false;
}

/** Another run of the documents may have it for a while. */
async function becomesFree(port) {
  const until = performance.now() + kLimit;
  while (await isOpen(port)) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, kPoll));
  }
  return true;
}

function isOpen(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ port: Number(port), host: "localhost" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
