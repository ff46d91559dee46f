// The job soak in small: faults at every call, stops, signals and kills. The whole is
// `npm run soak:jobs`.
import { describe, expect, it } from "vitest";
import { soakJobs } from "../soak/job-soak.mjs";

describe("a worker's books", () => {
  it("balance on a platform that fails, with workers that leave and die", async () => {
    let again = 0;
    // Whether a job ran again is a matter of when its worker died: a round without one says nothing.
    for (let seed = 11; again === 0 && seed < 15; seed += 1) {
      const { wrong, jobs, injected, reruns, workers } = await soakJobs({ jobs: 400, seed, chaosMs: 500 });
      expect(wrong).toEqual([]);
      expect(jobs).toBe(400);
      expect(injected).toBeGreaterThan(20);
      expect(workers).toBeGreaterThan(3);
      again = reruns.takes + reruns.results + reruns.workers;
    }
    expect(again).toBeGreaterThan(0);
  }, 240_000);

  it("do not balance where a result is lost", async () => {
    const { wrong } = await soakJobs({ jobs: 60, seed: 3, faultRate: 0, workers: 1, chaosMs: 0, lost: 1 });
    expect(wrong).toHaveLength(1);
    expect(wrong[0]).toMatch(/^job-\d+ ran again for no reason: .*handed to w1;.* w1 does not name it/);
  }, 120_000);
});
