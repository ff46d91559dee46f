// Times that two processes of one machine can compare: performance.now() counts from each process's own
// beginning, and process.hrtime() from the machine's.

/** Of so many readings the tightest counts: a process may lose the CPU between two clocks. */
const readings = 32;

const offsetMs = tightestOffset();

/** @param atMs of this process's performance.now() @returns milliseconds by the machine's monotonic clock */
export function machineTime(atMs: number): number {
  return atMs + offsetMs;
}

function tightestOffset(): number {
  let best = { width: Infinity, offset: 0 };
  for (let reading = 0; reading < readings; reading += 1) {
    const before = milliseconds(process.hrtime.bigint());
    const between = performance.now();
    const width = milliseconds(process.hrtime.bigint()) - before;
    if (width < best.width) best = { width, offset: before + width / 2 - between };
  }
  return best.offset;
}

function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e6;
}
