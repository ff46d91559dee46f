// Cells of TypeScript: the declarations under each setting of module and moduleResolution.
import { rmSync } from "node:fs";
import path from "node:path";
import { root } from "../setup/paths.mjs";
import { cell, succeeds } from "./cells.mjs";
import { makeConsumer } from "./consumer.mjs";
import { kQuiet } from "./npm-cells.mjs";

const kTypes = `import { loadModel, embeddedModelPath, InferenceError, serverless, type GenerateRequest, type GenerateResult } from "infernode";
import { createOpenaiApi, type OpenaiApi } from "infernode/openai";
import type { Server } from "node:http";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
export async function tell(prompt: string): Promise<GenerateResult> {
  const model = await loadModel(embeddedModelPath());
  const engine = await model.createEngine({ slots: 1 });
  try {
    const Person = z.object({ name: z.string(), born: z.iso.date().transform((text) => new Date(text)) });
    const { object } = await engine.generate({ prompt, jsonSchema: Person });
    console.log(object.name.length, object.born.getTime());
    const generation = engine.generate({ prompt });
    for await (const text of generation.textStream) console.log(text.length);
    await pipeline(generation.textStream, process.stdout);
    console.log(new Response(generation.toReadableStream()).ok);
    const request: GenerateRequest = { prompt, jsonSchema: { type: "object", properties: {} } };
    const plain = await engine.generate({ ...request, seed: generation.seed });
    console.log(plain.object);
    // @ts-expect-error: a prompt or messages
    engine.generate({ prompt, messages: [] });
    return await engine.generate({ prompt, maxTokens: 5, seed: 7n });
  } catch (thrown) {
    if (thrown instanceof InferenceError) console.error(thrown.code, thrown.path);
    throw thrown;
  }
}
serverless.start({ handler: async (job) => ({ got: job.input }) });
export async function mount(server: Server): Promise<OpenaiApi> {
  const model = await loadModel(embeddedModelPath());
  const engine = await model.createEngine();
  const openai = createOpenaiApi({ engine, model, names: ["tale"] });
  server.on("request", openai.listener);
  const { status, body } = await openai.answer({ path: "/v1/models", method: "GET" });
  console.log(status, body instanceof ReadableStream, await openai.fetch(new Request("http://localhost/v1/models")));
  // @ts-expect-error: both are needed
  createOpenaiApi({ engine });
  return openai;
}
`;

// Where only the browser's types are there, as TypeScript 7 has it by itself.
const kWithoutNode = `import { embeddedModelPath, loadModel, type Generation } from "infernode";
import { createOpenaiApi } from "infernode/openai";
export async function tell(): Promise<string> {
  const model = await loadModel(embeddedModelPath());
  const engine = await model.createEngine();
  const generation: Generation = engine.generate({ prompt: "Hello", signal: AbortSignal.timeout(1000) });
  for await (const text of generation.textStream) console.log(text.length);
  await generation[Symbol.asyncDispose]();
  const openai = createOpenaiApi({ engine, model });
  console.log((await openai.fetch(new Request("http://localhost/v1/models"))).status);
  await engine.drain();
  return new Response(generation.toReadableStream()).text();
}
`;

export async function typeScript(dependencies, url) {
  const consumer = makeConsumer(url, {
    dependencies,
    devDependencies: { "@types/node": "^20.0.0", zod: "^4.2.0" },
  });
  await cell("TypeScript's declarations, installed", ["npm11"], async (found) => {
    await succeeds(consumer, process.execPath, [found.npm11, "install", ...kQuiet]);
  });
  for (const [module, resolution, file] of [
    ["node16", "node16", "tell.mts"],
    ["node16", "node16", "tell.cts"],
    ["nodenext", "nodenext", "tell.mts"],
    ["nodenext", "nodenext", "tell.cts"],
    ["esnext", "bundler", "tell.mts"],
    ["esnext", "bundler", "tell.ts"],
  ]) {
    await cell(`TypeScript ${module}, ${resolution}, ${file}`, [], async () => {
      const kind = ["--module", module, "--moduleResolution", resolution, "--types", "node"];
      await judged(consumer, file, kTypes, kind);
    });
  }
  for (const file of ["tell.mts", "tell.cts"]) {
    await cell(`TypeScript without Node's types, ${file}`, [], async () => {
      const libraries = ["--lib", "es2022,dom,dom.iterable,dom.asynciterable"];
      await judged(consumer, file, kWithoutNode, ["--module", "nodenext", ...libraries]);
    });
  }
}

async function judged(consumer, file, text, kind) {
  consumer.write(file, text);
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "false", "--exactOptionalPropertyTypes"];
  const compiler = path.join(root, "node_modules/typescript/bin/tsc");
  await succeeds(consumer, process.execPath, [compiler, ...flags, "--target", "es2022", ...kind, file]);
  rmSync(path.join(consumer.folder, file));
}
