// The package's door: what it offers, and nothing that only it can make.
import { expect, it } from "vitest";
import * as infernode from "../src/index.js";
import * as openai from "../src/mount/openai-api.js";

it("exports its nine values and no classes that only it can make", () => {
  expect(Object.keys(infernode).sort()).toEqual([
    "InferenceError",
    "devices",
    "embeddedModelPath",
    "inspectModel",
    "loadModel",
    "planModel",
    "pullModel",
    "serverless",
    "setLogListener",
  ]);
});

it("exports one function as infernode/openai", () => {
  expect(Object.keys(openai)).toEqual(["createOpenaiApi"]);
});
