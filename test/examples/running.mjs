// Programs of examples/ as processes, and a server that they call: what they say, their addresses
// and their ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { modelFiles } from "../../tools/documents/models.mjs";
import { paths, root } from "../../tools/setup/paths.mjs";

export const kExamples = path.join(root, "examples");

/** A model whose template tells of tools. */
export function toolModel() {
  return modelFiles(path.join(paths.state, "document-models"))[0];
}

/** @returns { said, ended, leave }: `said.text` grows; `ended` resolves to { code, text } */
export function started(command, args, env = {}) {
  const child = spawn(command, args, {
    cwd: kExamples,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
  const said = { text: "" };
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      said.text += text;
    });
  const ended = once(child, "close").then(([code]) => ({ code, text: said.text }));
  return { child, said, ended, leave: () => child.kill("SIGTERM") };
}

/** The address that a server says it listens on. */
export async function addressOf({ child, said, ended }) {
  for (;;) {
    const [, address] = /(?:Serving|Listening) on (http\S+)/.exec(said.text) ?? [];
    if (address !== undefined) return address;
    await Promise.race([once(child.stdout, "data"), ended]);
    if (child.exitCode !== null) throw new Error(said.text);
  }
}

/** Runs the work with a server of this clone, and ends it whatever happens. */
export async function withServed(args, work) {
  const server = started(process.execPath, [
    path.join(paths.dist, "cli/main.js"),
    "serve",
    ...args,
    "--port",
    "0",
  ]);
  try {
    await work(await addressOf(server));
  } finally {
    server.leave();
    await server.ended;
  }
}
