// A bare copy of the set-up scripts in a temporary folder, as a fresh clone
// would have them: no packages, no sources, nothing built.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const repository = path.resolve(import.meta.dirname, "../..");

export function makeCheckout() {
  const folder = mkdtempSync(path.join(os.tmpdir(), "infernode-setup-"));
  cpSync(path.join(repository, "tools/setup"), path.join(folder, "tools/setup"), { recursive: true });
  mkdirSync(path.join(folder, "third_party"));
  const pin = JSON.parse(readFileSync(path.join(repository, "third_party/llama.cpp.json"), "utf8"));
  pin.upstream.repository = path.join(folder, "no-such-repository"); // never the network
  writeFileSync(path.join(folder, "third_party/llama.cpp.json"), JSON.stringify(pin));
  return {
    folder,
    pin,
    file: (name) => path.join(folder, name),
    write(name, text) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), text);
    },
    run: (code, env) => runScript(folder, code, env),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

// Runs a module's text in the checkout; resolves to its exit code and output.
function runScript(folder, code, env = {}) {
  const inherited = { ...process.env };
  for (const name of Object.keys(inherited)) {
    if (name.startsWith("INFERNODE_") || name.startsWith("npm_")) delete inherited[name];
  }
  const script = `
    import { runMain } from "./tools/setup/failure.mjs";
    await runMain(async () => { ${code} });`;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      cwd: folder,
      env: { ...inherited, ...env },
    });
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    child.stderr.on("data", (text) => {
      output += text;
    });
    child.on("close", (status) => resolve({ status, output }));
  });
}

// A folder with links to the given programs and nothing else, for PATH.
export function pathWith(folder, programs) {
  mkdirSync(folder, { recursive: true });
  for (const [name, target] of Object.entries(programs)) symlinkSync(target, path.join(folder, name));
  return folder;
}
