// Dropped references and forced collection, judged by exit code.
import { describe, expect, it } from "vitest";
import { runFixture } from "../helpers/programs.js";

const collecting = { nodeFlags: ["--expose-gc"] };
const minute = 60_000;

describe("garbage collection", () => {
  it("of dropped models, engines and generations disturbs nothing in use", { timeout: minute }, async () => {
    const ending = await runFixture("collect-garbage.mjs", collecting);
    expect(ending).toMatchObject({ code: 0, signal: null, stdout: "true\ntrue\n", stderr: "" });
  });

  it("finds closed engines' memory given back", { timeout: minute }, async () => {
    const ending = await runFixture("collect-closed.mjs", collecting);
    expect(ending).toMatchObject({ code: 0, signal: null, stdout: "true\n", stderr: "" });
  });
});
