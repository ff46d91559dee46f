// When the process is kept alive, and at what cost in calls.
import { describe, expect, it } from "vitest";
import { KeepAlive } from "../../src/engine/keep-alive.js";

function begin() {
  const calls: boolean[] = [];
  return { calls, keepAlive: new KeepAlive({ ref: (alive) => void calls.push(alive) }) };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("KeepAlive", () => {
  it("holds with the first who waits and lets go a turn after the last", async () => {
    const { calls, keepAlive } = begin();
    keepAlive.hold();
    keepAlive.hold();
    expect(calls).toEqual([true]);
    keepAlive.release();
    keepAlive.release();
    expect(calls).toEqual([true]);
    await turn();
    expect(calls).toEqual([true, false]);
  });

  it("costs no call while a reader comes back at once", async () => {
    const { calls, keepAlive } = begin();
    for (let token = 0; token < 10; token += 1) {
      keepAlive.hold();
      keepAlive.release();
    }
    keepAlive.hold();
    await turn();
    expect(calls).toEqual([true]);
    keepAlive.release();
    await turn();
    expect(calls).toEqual([true, false]);
  });

  it("holds again after it has let go", async () => {
    const { calls, keepAlive } = begin();
    keepAlive.hold();
    keepAlive.release();
    await turn();
    keepAlive.hold();
    expect(calls).toEqual([true, false, true]);
  });
});
