// The pages that are made from the source are what the source makes now. `npm run docs`
// writes them, by this very test.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { chatOptionsSchema } from "../../src/chat/messages.ts";
import { chatRows } from "../../src/cli/chat/slash-commands.ts";
import { program } from "../../src/cli/program.ts";
import { optionsSchema as embedSchema } from "../../src/engine/embed.ts";
import { engineSchema, loraSchema, modelSchema, speculationSchema } from "../../src/engine/options.ts";
import { forkSchema, requestSchema } from "../../src/engine/request.ts";
import { drainSchema } from "../../src/engine/request-book.ts";
import { schema as rerankSchema } from "../../src/engine/rerank.ts";
import { hubSettings } from "../../src/models/hub-environment.ts";
import { readConfig } from "../../src/serverless/config.ts";
import { schema as startSchema } from "../../src/serverless/contract.ts";
import { readTextGenerationConfig } from "../../src/text-generation/config.ts";
import { startUpLimit } from "../../src/text-generation/download-log.ts";
import { refused, refusedValues, withoutEffect } from "../../src/text-generation/known-variables.ts";
import { cliPage } from "../../tools/docs/cli.mjs";
import { errorsPage } from "../../tools/docs/errors.mjs";
import { splitDefault } from "../../tools/docs/interfaces.mjs";
import { kInterfaces, optionsPage } from "../../tools/docs/options.mjs";
import {
  kPackageVariables,
  kTextGenerationVariables,
  kWorkerVariables,
} from "../../tools/docs/variables.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const read = (file) => readFileSync(path.join(root, file), "utf8");

function facts() {
  const limits = { contextLength: 2 ** 20, cacheKind: "full", isModel: () => false };
  const request = requestSchema({ vocabularySize: 2 ** 17, addBos: true, loras: [] }).shape;
  return {
    sources: Object.fromEntries(Object.values(kInterfaces).map((file) => [file, read(file)])),
    shapes: {
      ModelOptions: modelSchema.shape,
      PlacementOptions: modelSchema.shape,
      EngineOptions: { ...engineSchema(limits).shape, contextLength: undefined },
      SpeculationOptions: speculationSchema(limits).shape,
      LoraAdapter: loraSchema.shape,
      PromptRequest: request,
      ChatRequest: request,
      GenerateOptions: { ...request, loras: undefined },
      SamplingOptions: { ...request, logitBias: undefined },
      ConstraintOptions: request,
      EmbedOptions: embedSchema.shape,
      RerankRequest: rerankSchema.shape,
      ForkOptions: forkSchema.shape,
      DrainOptions: drainSchema.shape,
      ChatOptions: chatOptionsSchema.shape,
      StartOptions: startSchema.shape,
    },
    ignored: withoutEffect,
    refused,
    refusedValues,
  };
}

it("docs/options.md is what the source makes", async () => {
  await expect(optionsPage(facts())).toMatchFileSnapshot(path.join(root, "docs/options.md"));
});

const commandLine = () => cliPage({ root: program("0.0.0"), chatRows: chatRows() });

it("docs/cli.md is what the commands make", async () => {
  await expect(commandLine()).toMatchFileSnapshot(path.join(root, "docs/cli.md"));
});

it("docs/errors.md is what the registry makes", async () => {
  await expect(errorsPage(read("src/errors.ts"))).toMatchFileSnapshot(path.join(root, "docs/errors.md"));
});

// An environment that remembers which variables were asked for.
function namesAskedFor(reader) {
  const asked = new Set();
  const environment = new Proxy({}, { get: (_, name) => void asked.add(name), ownKeys: () => [] });
  reader(environment);
  return asked;
}

it("the variables documented for every worker are those that it reads", () => {
  expect(kWorkerVariables.map(([name]) => name).sort()).toEqual([...namesAskedFor(readConfig)].sort());
});

it("the variables documented for `infernode worker` are those that it reads", () => {
  const hubs = namesAskedFor(hubSettings);
  const platforms = kWorkerVariables.map(([name]) => name);
  const asked = new Set([...namesAskedFor(readTextGenerationConfig), ...namesAskedFor(startUpLimit)]);
  for (const [, names] of withoutEffect) for (const name of names) asked.delete(name);
  for (const [names] of refused) for (const name of names) asked.delete(name);
  // Those of the hub are read by loadModel() and the commands, too.
  const own = (names) => [...names].filter((name) => !hubs.has(name) && !platforms.includes(name)).sort();
  expect(own(kTextGenerationVariables.map(([name]) => name))).toEqual(own(asked));
});

// Set by npm for its own children.
const kOfNpm = ["npm_command"];

it("the variables documented for the package are those that it reads", () => {
  const files = readdirSync(path.join(root, "src"), { recursive: true }).filter((file) =>
    file.endsWith(".ts"),
  );
  const sources = files.map((file) => read(`src/${file}`)).join("\n");
  const named = new Set([...sources.matchAll(/process\.env\.(\w+)/g)].map(([, name]) => name));
  for (const name of kOfNpm) named.delete(name);
  // The native side reads one of this package's own.
  const native = read("native/model/cuda_libraries.cpp");
  for (const [, name] of native.matchAll(/variable\("(INFERNODE_\w+)"\)/g)) named.add(name);
  // Proxies' names in lower case are the same variables.
  for (const name of namesAskedFor(hubSettings)) if (name === name.toUpperCase()) named.add(name);
  expect(kPackageVariables.map(([name]) => name).sort()).toEqual([...named].sort());
});

it("every flag that a local worker reads is on the page", () => {
  const flags = new Set(read("src/serverless/local-arguments.ts").match(/(?<=")--(?:rp_|test_)\w+/g));
  const page = commandLine();
  expect([...flags].filter((flag) => !page.includes(`\`${flag}`))).toEqual([]);
});

it.each([
  ["How many. Default 0.7.", "How many.", "0.7"],
  [
    "How many. Default: that length, at most 4096. See more.",
    "How many. See more.",
    "that length, at most 4096",
  ],
  ['Breaks. Default a line break, ":", "\\"" and "*".', "Breaks.", 'a line break, ":", "\\"" and "*"'],
  ["Tells. Default true; false leaves it.", "Tells. False leaves it.", "true"],
  ["Nothing of it.", "Nothing of it.", undefined],
])("the default in %j is found", (given, text, value) => {
  expect(splitDefault(given)).toEqual({ text, value });
});
