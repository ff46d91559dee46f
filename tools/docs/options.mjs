// docs/options.md out of docstrings, zod shapes and the tables of variables. Facts come in, text goes out; test/docs/generated.test.mjs gathers them.
import { interfaceFields } from "./interfaces.mjs";
import { cell, code, optionTable, table } from "./tables.mjs";
import { kPackageVariables, kTextGenerationVariables, kWorkerVariables } from "./variables.mjs";

// facts: { sources: text by path, shapes: zod shapes by interface, ignored, refused, refusedValues }
export function optionsPage(facts) {
  return `${[opening(), ...functionSections(facts), ...variableSections(facts)].join("\n\n")}\n`;
}

function opening() {
  return `# Options

Made by \`npm run docs\` from the source: docstrings and the schemas that judge options.

A value that is not allowed is refused with \`INVALID_OPTION\`, a sentence that names the option, what was
expected and what came; so is an option that does not exist. \`undefined\` is the same as leaving an option out.
"–" in the column of defaults: nothing happens without it.

[loadModel](#loadmodelpath-options) · [createEngine](#modelcreateengineoptions) · [generate](#enginegeneraterequest) ·
[embed](#engineembedinputs-options) · [rerank](#enginererankrequest) · [others](#other-functions) ·
[serverless.start](#serverlessstartoptions) · [command line](cli.md) · [environment](#environment-of-every-worker)`;
}

// Where each interface of options stands.
export const kInterfaces = {
  ModelOptions: "src/engine/options.ts",
  PlacementOptions: "src/engine/placement-options.ts",
  EngineOptions: "src/engine/options.ts",
  SpeculationOptions: "src/engine/options.ts",
  LoraAdapter: "src/engine/options.ts",
  PromptRequest: "src/engine/generate-request.ts",
  ChatRequest: "src/engine/generate-request.ts",
  GenerateOptions: "src/engine/generate-request.ts",
  SamplingOptions: "src/engine/sampling.ts",
  ConstraintOptions: "src/constraints/constraint.ts",
  ChatMessage: "src/chat/messages.ts",
  Tool: "src/chat/tools.ts",
  LoraChoice: "src/engine/loras.ts",
  EmbedOptions: "src/engine/embed.ts",
  RerankRequest: "src/engine/rerank.ts",
  ForkOptions: "src/engine/generate-request.ts",
  LoadStateOptions: "src/engine/generate-request.ts",
  DrainOptions: "src/engine/request-book.ts",
  ChatOptions: "src/chat/messages.ts",
  TokenizeOptions: "src/engine/model.ts",
  DetokenizeOptions: "src/engine/model.ts",
  StartOptions: "src/serverless/contract.ts",
};

// The page of functions: text as it stands, and names of interfaces as their tables.
const kFunctions = [
  "## loadModel(path, options)",
  "`path` is that of a GGUF file (the first part of a split one), a `file:` URL, or a `synthetic:` reference ([models](guides/models.md)).",
  "ModelOptions",
  "### Devices",
  "See [devices](guides/devices.md).",
  "PlacementOptions",
  "## model.createEngine(options)",
  "`model.memoryNeeded(options)` takes the same.",
  "EngineOptions",
  "### speculation",
  "SpeculationOptions",
  "### loras",
  "LoraAdapter",
  "## engine.generate(request)",
  "`engine.saveState(path, request)` takes the same.",
  "### What to generate",
  "Either a prompt,",
  "PromptRequest",
  "or a conversation:",
  "ChatRequest",
  "### How much, and with what",
  "GenerateOptions",
  "### How tokens are chosen",
  "SamplingOptions",
  "### What the text must look like",
  "One of them. See [structured output](guides/structured-output.md).",
  "ConstraintOptions",
  "### messages",
  "ChatMessage",
  "### tools",
  "Tool",
  "### loras of a request",
  "LoraChoice",
  "## engine.embed(inputs, options)",
  "EmbedOptions",
  "## engine.rerank(request)",
  "RerankRequest",
  "## Other functions",
  "### engine.fork(generation, options)",
  "ForkOptions",
  "### engine.loadState(path, options)",
  "LoadStateOptions",
  "### engine.drain(options)",
  "DrainOptions",
  "### model.renderChat(messages, options)",
  "`tools`, `toolChoice`, `parallelToolCalls` and `toolForm` as in `generate()`, and",
  "ChatOptions",
  "### model.tokenize(text, options)",
  "TokenizeOptions",
  "### model.detokenize(tokens, options)",
  "DetokenizeOptions",
  "## serverless.start(options)",
  "`concurrency_modifier`, `return_aggregate_stream` and `refresh_worker` are other spellings of the same options.",
  "StartOptions",
];

function functionSections({ sources, shapes }) {
  const tableOf = (name) => {
    const fields = interfaceFields(sources[kInterfaces[name]], name).filter(
      (field) => !field.name.includes("_") && field.type !== "undefined",
    );
    return optionTable(fields, shapes[name]);
  };
  return kFunctions.map((part) => (part in kInterfaces ? tableOf(part) : part));
}

function variableSections({ ignored, refused, refusedValues }) {
  const variables = (rows) =>
    table(
      ["variable", "values", "default", "meaning"],
      rows.map(([name, ...rest]) => [code(name), ...rest]),
    );
  const names = (list) => list.map(code).join(", ");
  return [
    `## Environment of every worker\n\nA value that makes no sense is named in the log and replaced by the default.\n\n${variables(kWorkerVariables)}`,
    `## Environment of \`infernode worker\`\n\nA value that makes no sense ends the boot. Empty and \`None\` are as good as unset.\n\n${variables(kTextGenerationVariables)}`,
    `### Variables of worker-vllm without effect\n\nThey are named in the log.\n\n${table(
      ["variables", "why"],
      ignored.map(([reason, list]) => [names(list), cell(reason)]),
    )}`,
    `### Variables of worker-vllm that end the boot\n\nThey would change answers.\n\n${table(
      ["variables", "what to do"],
      [
        ...refused.map(([list, advice]) => [names(list), cell(advice)]),
        ...refusedValues.map(([name, values]) => [
          `${code(name)} of ${names(values)}`,
          "models are GGUF files; name one of them and unset it",
        ]),
      ],
    )}`,
    `## Environment of the package\n\n${variables(kPackageVariables)}`,
  ];
}
