// `npm run build:cuda -- --arch 80,90`: `infernode build --cuda` in a clone, whose TypeScript it
// compiles first. The clone's own native files stay as they are; the line on stdout names the
// folder of the new ones.
import path from "node:path";
import { runForeground } from "./command.mjs";
import { runMain } from "./failure.mjs";
import { withLock } from "./lock.mjs";
import { ensurePackages } from "./packages.mjs";
import { paths } from "./paths.mjs";
import { requireNode } from "./toolchain.mjs";
import { ensureTypeScript } from "./typescript.mjs";

await runMain(async () => {
  requireNode();
  await withLock(async () => {
    await ensurePackages();
    await ensureTypeScript();
  });
  const program = path.join(paths.dist, "cli/main.js");
  const args = [program, "build", "--cuda", ...process.argv.slice(2)];
  return runForeground(process.execPath, args, { cwd: process.cwd() });
});
