// Builds dist/ from src/: declarations by tsc, which also judges the types, and
// JavaScript by rolldown, which puts what is used of zod and commander into it.
// Importing zod as it comes costs 80 ms at each start, this costs 12. dist holds
// nothing but this output.
import { existsSync, rmSync } from "node:fs";
import { run } from "./command.mjs";
import { filesBelow, fingerprint, isCurrent, markCurrent, markStale } from "./fingerprint.mjs";
import { lockedVersion } from "./packages.mjs";
import { paths } from "./paths.mjs";
import { step } from "./steps.mjs";

export async function ensureTypeScript() {
  const print = fingerprint({
    values: { compiler: lockedVersion("typescript"), bundler: lockedVersion("rolldown") },
    files: filesBelow("src", "tsconfig.json").filter((file) => /\.(ts|json)$/.test(file)),
  });
  if (isCurrent("typescript", print)) return;
  await step("compiling TypeScript", async (progress) => {
    markStale("typescript");
    rmSync(paths.dist, { recursive: true, force: true });
    await run(process.execPath, [paths.tsc, "-p", "tsconfig.json"], { onLine: progress.line, what: "tsc" });
    await bundle();
  });
  markCurrent("typescript", print, existsSync(paths.dist) ? filesBelow(paths.dist) : []);
}

// All entries in one build: what they share is one file that all load, with
// one addon in it. All chunks lie directly in dist/; src/package-root.ts
// counts on it.
async function bundle() {
  const { rolldown } = await import("rolldown");
  const build = await rolldown({
    input: {
      index: "src/index.ts",
      "cli/main": "src/cli/main.ts",
      "heartbeat-thread": "src/serverless/heartbeat-thread.ts",
    },
    platform: "node",
    external: [/^node:/, "node-gyp-build"],
  });
  await build.write({
    dir: paths.dist,
    format: "esm",
    sourcemap: true,
    chunkFileNames: "[name].js",
  });
  await build.close();
}
