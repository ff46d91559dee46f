// Listeners on signals: one however many share it, none once all have left.
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { AbortListeners } from "../../src/engine/abort-listeners.js";

describe("AbortListeners", () => {
  it("adds one listener for all who share a signal and removes it with the last", () => {
    const listeners = new AbortListeners();
    const { signal } = new AbortController();
    const leave = Array.from({ length: 300 }, () => listeners.listen(signal, () => {}));
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    for (const one of leave.slice(1)) one();
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    leave[0]?.();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("calls back everyone who has not left, even if leaving in the callback", () => {
    const listeners = new AbortListeners();
    const controller = new AbortController();
    const called: string[] = [];
    const leaveA = listeners.listen(controller.signal, () => {
      called.push("a");
      leaveA();
    });
    const leaveB = listeners.listen(controller.signal, () => called.push("b"));
    listeners.listen(controller.signal, () => called.push("c"));
    leaveB();
    controller.abort();
    expect(called).toEqual(["a", "c"]);
  });

  it("listens anew after all have left", () => {
    const listeners = new AbortListeners();
    const controller = new AbortController();
    listeners.listen(controller.signal, () => {})();
    let called = 0;
    listeners.listen(controller.signal, () => (called += 1));
    controller.abort();
    expect(called).toBe(1);
  });
});
