// The soak, scaled down to what a test run can afford; the whole of it is
// `npm run soak`.
import { expect, it } from "vitest";
import { run } from "../helpers/programs.js";

// Memory has not settled after a few hundred requests, so it may grow more.
const scaled = { nodeFlags: ["--max-semi-space-size=1"], args: ["--requests", "1000", "--growth", "15"] };

it("a thousand requests, a third of them cancelled, end once each and leave nothing", {
  timeout: 90_000,
}, async () => {
  const ending = await run("test/soak/requests.mjs", scaled);
  expect(ending).toMatchObject({ code: 0, signal: null, stderr: "" });
});
