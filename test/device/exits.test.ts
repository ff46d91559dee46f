// How processes end that have a device loaded, whatever state their engines are in: by exit code.
import { expect, it } from "vitest";
import { runFixture } from "../helpers/programs.js";
import { describeDevice, patience } from "../helpers/software-device.js";

const clean = { code: 0, signal: null, stderr: "" };

describeDevice("a process with a device", 1, (env) => {
  const ending = (name: string) => runFixture(name, { env, deadlineMs: patience.timeout });

  it("exits 0 by process.exit() mid-generation", patience, async () => {
    expect(await ending("exit-mid-generation.mjs")).toMatchObject(clean);
  });

  it("exits 0 by process.exit() while a model or an engine is made", patience, async () => {
    expect(await ending("exit-mid-load.mjs")).toMatchObject(clean);
  });

  it("ends by itself with engines left open, idle, unread or abandoned", patience, async () => {
    expect(await ending("fall-off-the-end.mjs")).toMatchObject({ ...clean, stdout: "true\n" });
  });

  it("exits 1 of an uncaught exception mid-generation", patience, async () => {
    const ended = await ending("throw-mid-generation.mjs");
    expect(ended).toMatchObject({ code: 1, signal: null });
    expect(ended.stderr).toContain("thrown on purpose");
  });

  it("closes model and engine mid-generation and exits 0", patience, async () => {
    expect(await ending("close-mid-generation.mjs")).toMatchObject({ ...clean, stdout: "true\n" });
  });
});
