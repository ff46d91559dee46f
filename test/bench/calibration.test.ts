// The client beside a process that says when it sent each token. The machine of a test may be
// busy, so that times are printed, and counts and orders of size are judged.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { calibrate, mockFlags } from "../../src/bench/calibration.js";

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
  expect([one, hundred, thousand].map((each) => each?.ttftMs?.count)).toEqual([5, 200, 1000]);
  expect([one, hundred, thousand].map((each) => each?.itlMs?.count)).toEqual([5 * 31, 200 * 15, 1000 * 5]);
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

const mock = fileURLToPath(new URL("../../dist/bench-mock.js", import.meta.url));

/** Collections of garbage in a mock of so many answers, of which each has 64 tokens. */
async function collections(flags: readonly string[], answers: number): Promise<number> {
  const child: ChildProcess = fork(mock, [], {
    stdio: ["ignore", "pipe", "ignore", "ipc"],
    execArgv: ["--trace-gc", ...flags],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  said = ""; // what came before it listened delays nobody
  const url = `http://127.0.0.1:${port}/ttft-1/itl-1/v1/completions`;
  for (let answer = 0; answer < answers; answer += 1) {
    const response = await fetch(url, { method: "POST", body: '{"prompt":"Hello","max_tokens":64}' });
    expect((await response.text()).match(/"text":/g)).toHaveLength(64);
  }
  return said.match(/Scavenge|Mark-[Cc]ompact/g)?.length ?? 0;
}

// Its pauses lie between the time in a token and the token's way out, as if the client had been late.
it("the mock collects no garbage while one stream is measured", { timeout: 60_000 }, async () => {
  expect(await collections([], 12)).toBeGreaterThan(0);
  expect(await collections(mockFlags, 12)).toBe(0);
});
