// Builds dist/ from src/: declarations by tsc, which also judges the types, and
// JavaScript by rolldown, which puts what is used of zod, commander, hono, prom-client and echarts
// into it. Importing zod as it comes costs 80 ms at each start, this costs 12. The declarations
// become one file for each of the package's entries, and its copy for CommonJS. dist holds nothing but
// this output.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { run } from "./command.mjs";
import { filesBelow, fingerprint, isCurrent, markCurrent, markStale } from "./fingerprint.mjs";
import { lockedVersion } from "./packages.mjs";
import { paths } from "./paths.mjs";
import { step } from "./steps.mjs";

export async function ensureTypeScript() {
  const print = fingerprint({
    values: {
      compiler: lockedVersion("typescript"),
      bundler: lockedVersion("rolldown"),
      declarations: lockedVersion("rolldown-plugin-dts"),
    },
    files: filesBelow("src", "tsconfig.json", "tools/setup/typescript.mjs").filter((file) =>
      /\.(ts|json|mjs)$/.test(file),
    ),
  });
  if (isCurrent("typescript", print)) return;
  await step("compiling TypeScript", async (progress) => {
    markStale("typescript");
    rmSync(paths.dist, { recursive: true, force: true });
    rmSync(paths.types, { recursive: true, force: true });
    const args = [paths.tsc, "-p", "tsconfig.json", "--outDir", paths.types];
    await run(process.execPath, args, { onLine: progress.line, what: "tsc" });
    await bundle();
    await bundleDeclarations();
  });
  markCurrent("typescript", print, existsSync(paths.dist) ? filesBelow(paths.dist) : []);
}

// What bundled packages require where it happens to be installed, and do without: an empty
// module, for the same reason.
const kAbsent = {
  name: "absent",
  resolveId: (id) => (id === "supports-color" ? "\0absent" : null),
  load: (id) => (id === "\0absent" ? "export {};" : null),
};

// ECharts is larger than all of this package and loaded for reports alone: its chunk is minified,
// and its source map names the sources, which the licences are gathered by, without their text.
const kLargeChunk = "html-report";
const kMinified = {
  name: "minified",
  async renderChunk(code, { name }) {
    if (name !== kLargeChunk) return null;
    const { minify } = await import("rolldown/utils");
    const { code: small, map } = await minify(`${name}.js`, code, { sourcemap: true });
    return { code: small, map };
  },
};

function dropSourceTexts() {
  const file = path.join(paths.dist, `${kLargeChunk}.js.map`);
  const { sourcesContent: _, ...map } = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify(map));
}

// All entries in one build: what they share is one file that all load, with
// one addon in it. All chunks lie directly in dist/; src/package-root.ts
// counts on it.
async function bundle() {
  const { rolldown } = await import("rolldown");
  const { esmExternalRequirePlugin } = await import("rolldown/plugins");
  const build = await rolldown({
    input: {
      index: "src/index.ts",
      openai: "src/mount/openai-api.ts",
      "cli/main": "src/cli/main.ts",
      "heartbeat-thread": "src/serverless/heartbeat-thread.ts",
      "job-store-thread": "src/endpoint/job-store-thread.ts",
      // Read by the set-up, also in an installed package (tools/setup/cuda-build.mjs).
      gpus: "src/models/plan/gpus.ts",
      "cuda-architectures": "src/cuda-architectures.ts",
      "bench-mock": "src/bench/mock-process.ts",
      "bench-cold": "src/bench/cold-process.ts",
    },
    platform: "node",
    external: ["node-gyp-build", "libsql"],
    // require("util") of bundled packages becomes an import. rolldown's own require function
    // would need import.meta.url, which is empty where a user bundles dist/ into CommonJS.
    plugins: [esmExternalRequirePlugin({ external: [/^node:/, ...builtinModules] }), kAbsent, kMinified],
  });
  await build.write({
    dir: paths.dist,
    format: "esm",
    sourcemap: true,
    chunkFileNames: "[name].js",
  });
  await build.close();
  dropSourceTexts();
}

// Symbol.asyncDispose is in no yearly lib, and a user's settings may leave @types/node out.
const kDeclarationsHead = '/// <reference lib="esnext.disposable" />\n';

// The types of `infernode/openai` name those of `infernode`: a class with private fields is
// one type only where it is declared once.
const kDoors = { index: "index.d.ts", openai: "mount/openai-api.d.ts" };
const kFirstDoor = {
  name: "first-door",
  resolveId: (id) => (id === "../index.js" ? { id: "infernode", external: true } : null),
};

async function bundleDeclarations() {
  const { rolldown } = await import("rolldown");
  const { dts } = await import("rolldown-plugin-dts");
  for (const [name, source] of Object.entries(kDoors)) {
    const build = await rolldown({
      input: { [name]: path.join(paths.types, source) },
      plugins: [kFirstDoor, ...dts({ dtsInput: true, sourcemap: false })],
      external: [/^node:/, "zod"],
      logLevel: "silent",
    });
    await build.write({ dir: paths.dist, format: "esm" });
    await build.close();
    const file = path.join(paths.dist, `${name}.d.ts`); // the plugin drops a banner
    const text = kDeclarationsHead + readFileSync(file, "utf8");
    for (const ending of ["d.ts", "d.cts"]) writeFileSync(path.join(paths.dist, `${name}.${ending}`), text);
  }
}
