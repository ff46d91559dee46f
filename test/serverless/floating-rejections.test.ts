// A rejection that no code caught, or an abort listener that throws: the job that made it
// may go on, the others do.
import { expect, it } from "vitest";
import { createPlatform, type Platform } from "../../tools/platform-emulator/index.mjs";
import { type Child, spawnWorker } from "./child.js";
import { configOf } from "./harness.js";

/** A worker of two slots, whose first job waits until the second one, whose promise floats, has ended. */
async function withFloating(
  env: Readonly<Record<string, string>>,
  work: (platform: Platform, child: Child) => Promise<void>,
  floats = "nobody waits",
): Promise<void> {
  const platform = await createPlatform();
  const child = spawnWorker("worker", platform.env({ TEST_SLOTS: "2", ...env }));
  try {
    platform.enqueue({ id: "bystander", input: { sleepMs: 600, echo: "whole" } });
    platform.enqueue({ id: "floating", input: { floats, sleepMs: 100, echo: "also" } });
    await work(platform, child);
  } finally {
    child.process.kill("SIGKILL");
    await child.ended;
    await platform.close();
  }
}

it("fails no job, and is logged with the id of the job that made it", async () => {
  await withFloating({}, async (platform, child) => {
    const ended = () => ["bystander", "floating"].every((id) => platform.job(id).done.length > 0);
    await platform.until(ended);
    expect(platform.job("bystander").done).toEqual([{ output: "whole" }]);
    expect(platform.job("floating").done).toEqual([{ output: "also" }]);
    const line = child.lines.find((each) => each.includes("nobody caught it"));
    expect(line).toContain("| floating |");
    expect(line).toContain("Error: nobody waits");
    child.process.kill("SIGTERM");
    expect(await child.ended).toBe(0);
  });
});

it("fails no job either where its reason cannot be looked at", async () => {
  await withFloating(
    {},
    async (platform, child) => {
      for (const id of ["bystander", "floating"]) {
        await platform.until(() => platform.job(id).done.length > 0);
        expect(platform.job(id).done[0]).not.toHaveProperty("error");
      }
      expect(child.lines.join("\n")).toContain("nobody caught it: a value of type object");
    },
    "hostile",
  );
});

it("with INFERNODE_EXIT_ON_UNHANDLED=1 fails all jobs and ends the worker with 1", async () => {
  await withFloating({ INFERNODE_EXIT_ON_UNHANDLED: "1" }, async (platform, child) => {
    expect(await child.ended).toBe(1);
    for (const id of ["bystander", "floating"]) {
      expect(platform.job(id).done[0]?.error).toContain("Error: nobody waits");
    }
  });
});

it("a listener that throws when its job is stopped fails no other job", async () => {
  await withFloating({}, async (platform, child) => {
    await platform.until(() => platform.job("floating").done.length > 0);
    platform.enqueue({ id: "listening", input: { listens: "not now", untilStopped: true } });
    platform.enqueue({ id: "later", input: { echo: "later" } });
    await platform.until(() => child.lines.some((line) => line.includes("listening | Started.")));
    platform.stop("listening");
    await platform.until(() => child.lines.some((line) => line.includes("not now")));
    for (const id of ["bystander", "later"]) {
      await platform.until(() => platform.job(id).done.length > 0);
      expect(platform.job(id).done[0]).not.toHaveProperty("error");
    }
    const line = child.lines.find((each) => each.includes("not now"));
    expect(line).toMatch(/listening \| A listener of the job's signal threw: Error: not now/);
    child.process.kill("SIGTERM");
    expect(await child.ended).toBe(0);
  });
});

it("a log that cannot be written fails no job either", async () => {
  await withFloating({}, async (platform, child) => {
    child.process.stdout?.destroy();
    child.process.stderr?.destroy();
    for (const id of ["bystander", "floating", "later"]) {
      if (id === "later") platform.enqueue({ id, input: { echo: id } });
      await platform.until(() => platform.job(id).done.length > 0);
      expect(platform.job(id).done[0]).not.toHaveProperty("error");
    }
  });
});

it("takes 0 and 1, and warns of anything else", () => {
  const read = (value?: string) => configOf({ INFERNODE_EXIT_ON_UNHANDLED: value });
  for (const off of [undefined, "", "0", "false"]) {
    expect(read(off)).toMatchObject({ exitsOnUnhandled: false, warnings: [] });
  }
  for (const on of ["1", "true"]) expect(read(on)).toMatchObject({ exitsOnUnhandled: true, warnings: [] });
  expect(read("yes").warnings).toEqual(['INFERNODE_EXIT_ON_UNHANDLED must be 0 or 1, got "yes"; 0 is used.']);
});
