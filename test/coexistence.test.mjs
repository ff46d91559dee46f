// Another binding of llama.cpp in the same process, with a llama.cpp of its
// own: neither may take the other's libraries, backends or symbols.
import { describe, expect, it } from "vitest";
import { ensurePeers } from "../tools/bench/peers/packages.mjs";
import { runFixture } from "./helpers/programs.js";

const orders = [
  ["ours", "theirs"],
  ["theirs", "ours"],
];
const minutes = 5 * 60_000;

/** Why node-llama-cpp cannot be had here, or null. */
async function installing() {
  try {
    await ensurePeers();
    return null;
  } catch (failure) {
    return failure instanceof Error ? failure.message : String(failure);
  }
}

describe("in one process with node-llama-cpp", () => {
  it.for(orders)("both generate, %s loaded before %s", { timeout: minutes }, async (order, { skip }) => {
    const missing = await installing();
    if (missing !== null) {
      console.warn(`SKIPPED, node-llama-cpp is not installed: ${missing}`);
      skip("node-llama-cpp is not installed");
    }
    const ending = await runFixture("beside-node-llama-cpp.mjs", { args: order });
    expect(ending).toMatchObject({ code: 0, signal: null, stderr: "" });
    const { ours, theirs } = JSON.parse(ending.stdout);
    expect(ours.alone.length).toBeGreaterThan(20);
    expect(theirs.alone.length).toBeGreaterThan(20);
    expect(ours.together).toBe(ours.alone);
    expect(theirs.together).toBe(theirs.alone);
  });
});
