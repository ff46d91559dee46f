// `npm run clients:node22`: OpenAI's package for Node 22, and a Node 22 to run it, fetched once into .build
// without starting anything of them. test/clients runs them against the server; without them it says so.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { tool } from "../package/tools.mjs";
import { runNpm } from "../setup/packages.mjs";
import { paths } from "../setup/paths.mjs";

const kPackages = ["openai@7.59.0", "zod@4.6.7"];

export const clientsFolder = path.join(paths.state, "clients-node22");

async function fetchClients() {
  if ((await tool("node22")) === null)
    throw new Error("infernode: the registry has no Node 22 for this machine");
  if (existsSync(path.join(clientsFolder, "node_modules/openai/package.json"))) return;
  mkdirSync(clientsFolder, { recursive: true });
  writeFileSync(path.join(clientsFolder, "package.json"), '{"private":true}\n');
  // Not those of the Node that runs this: the packages are for another one.
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", ...kPackages];
  await runNpm(args, { cwd: clientsFolder, what: kPackages.join(" ") });
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await fetchClients();
