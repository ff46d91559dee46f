// The client beside a process that says when it sent each token. The machine of a test may be
// busy, so that times are printed, and counts and orders of size are judged.
import { expect, it } from "vitest";
import { calibrate } from "../../src/bench/calibration.js";

it("measures a process that answers at known times, with 1, 100 and 1,000 streams", {
  timeout: 120_000,
}, async () => {
  const measured = await calibrate(new AbortController().signal);
  console.table(
    measured.map(({ streams, told, ttftErrorMs, itlErrorMs, ttftMs, itlMs }) => ({
      ...{
        streams,
        "told TTFT": told.ttftMs,
        "TTFT p50": ttftMs?.p50,
        "told ITL": told.itlMs,
        "ITL p50": itlMs?.p50,
      },
      ...{ "TTFT error p50": ttftErrorMs?.p50, "TTFT error p99": ttftErrorMs?.p99 },
      ...{ "ITL error p50": itlErrorMs?.p50, "ITL error p99": itlErrorMs?.p99 },
    })),
  );
  expect(measured.map(({ streams }) => streams)).toEqual([1, 100, 1000]);
  const [one, hundred, thousand] = measured;
  // Requests, and gaps between their tokens: nothing was lost or counted twice.
  expect([one, hundred, thousand].map((each) => each?.ttftMs?.count)).toEqual([3, 200, 1000]);
  expect([one, hundred, thousand].map((each) => each?.itlMs?.count)).toEqual([3 * 15, 200 * 15, 1000 * 5]);
  // No token is seen before it was sent.
  for (const { ttftErrorMs, told, ttftMs } of measured) {
    expect(ttftErrorMs?.p50).toBeGreaterThan(0);
    expect(ttftMs?.p50).toBeGreaterThanOrEqual(told.ttftMs);
  }
  // The request's way is a part of the error, by one clock, and the other process is never early.
  for (const { ttftErrorMs, requestMs, mockLateMs } of measured) {
    expect(requestMs?.count).toBe(ttftErrorMs?.count);
    expect(requestMs?.mean).toBeLessThan(ttftErrorMs?.mean ?? Number.NaN);
    expect(requestMs?.p50).toBeGreaterThan(-1); // the connection tells just before it writes
    expect(mockLateMs?.p50).toBeGreaterThan(-1.5); // timers of Node cut fractions of milliseconds off
  }
  // With one stream, half of the gaps are told to less than half of a gap, even on a busy machine.
  expect((one?.itlErrorMs?.p50 ?? Number.NaN) / 10).toBeLessThan(0.5);
});
