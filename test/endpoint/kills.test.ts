// kill -9 of `infernode serve --data` under load; twenty rounds are `npm run soak:kills`.
import { expect, it } from "vitest";
import { soakKills } from "../soak/kill-soak.mjs";

it("a server that is killed under load and started again loses no job, and changes no end that was seen", async () => {
  const { wrong, ...figures } = await soakKills({ rounds: 3, seed: 7, accepted: [25, 50] });
  expect(wrong).toEqual([]);
  expect(figures.accepted).toBeGreaterThanOrEqual(75);
  expect(figures.reruns).toBeGreaterThan(0);
  expect(figures.seenAgain).toBeGreaterThan(0);
  expect(figures.webhooks.told).toBeGreaterThanOrEqual(figures.webhooks.owed);
});
