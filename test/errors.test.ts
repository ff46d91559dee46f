// The error registry and conversion; native-fields.test.ts compares its codes with the native side.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cancelledBy, InferenceError, isErrorCode, toInferenceError } from "../src/errors.js";

describe("InferenceError", () => {
  it("takes status and retryable from its code", () => {
    const error = new InferenceError("QUEUE_FULL", "full");
    expect(error).toMatchObject({ name: "InferenceError", code: "QUEUE_FULL", status: 429, retryable: true });
    expect(error).toBeInstanceOf(Error);
  });

  it("has no code that no test expects", () => {
    const source = readFileSync(new URL("../src/errors.ts", import.meta.url), "utf8");
    const codes = Array.from(source.matchAll(/^ {2}([A-Z_]+): \{ status/gm), ([, code]) => code as string);
    expect(codes.length).toBeGreaterThan(30);
    const lists = ["errors.test.ts", "native-fields.test.ts"];
    const tests = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.test\.m?ts$/.test(name) && !lists.includes(name))
      .map((name) => readFileSync(join(import.meta.dirname, name), "utf8"))
      .join("\n");
    expect(codes.filter((code) => !new RegExp(`\\b${code}\\b`).test(tests))).toEqual([]);
  });

  it("does not take an inherited property for a code", () => {
    expect(isErrorCode("toString")).toBe(false);
  });
});

describe("toInferenceError", () => {
  it("keeps the code and the sentence of a native failure", () => {
    const thrown = Object.assign(new Error("no such file"), { code: "MODEL_NOT_FOUND" });
    expect(toInferenceError(thrown)).toMatchObject({ code: "MODEL_NOT_FOUND", message: "no such file" });
  });

  it("calls what has no code a broken engine and keeps it as the cause", () => {
    const thrown = new TypeError("A number was expected");
    expect(toInferenceError(thrown)).toMatchObject({ code: "ENGINE_BROKEN", cause: thrown });
    expect(toInferenceError("text")).toMatchObject({ code: "ENGINE_BROKEN" });
  });

  it("gives an InferenceError back as it is", () => {
    const error = new InferenceError("CANCELLED", "cancelled");
    expect(toInferenceError(error)).toBe(error);
  });
});

describe("cancelledBy", () => {
  it("carries the signal's reason as its cause", () => {
    const reason = new Error("the client left");
    expect(cancelledBy(AbortSignal.abort(reason), "the load")).toMatchObject({
      code: "CANCELLED",
      message: "the load was cancelled by its signal",
      cause: reason,
    });
  });
});
