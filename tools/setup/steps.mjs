// Progress on stderr, so that stdout holds nothing but the program's own text.
// A step that has nothing to do prints nothing. On a terminal a running step
// keeps one line up to date; elsewhere it prints a line per tenth of the work,
// and a sign of life with what is done and left when a command is silent for long.

const kSilence = 20_000; // ms without a line before a sign of life

const terminal = process.stderr.isTTY === true;
const verbose = process.env.INFERNODE_VERBOSE === "1";

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

function printLine(text) {
  process.stderr.write(terminal ? `\r\x1b[2K${text}\n` : `${text}\n`);
}

export function say(text) {
  printLine(`infernode: ${text}`);
}

// Runs `work(progress)`; `progress.line` takes each line of a command's output.
export async function step(title, work) {
  const started = performance.now();
  const state = { title, started, tenth: 0, printed: started, status: "", progress: null };
  if (!terminal) say(`${title} ...`);
  const timer = setInterval(() => beat(state), terminal ? 200 : 1000);
  try {
    const result = await work({ line: (line) => onLine(state, line) });
    say(`${title}: done in ${seconds(started)}`);
    return result;
  } catch (error) {
    say(`${title}: failed after ${seconds(started)}`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

function beat(state) {
  if (terminal) {
    const room = Math.max(20, (process.stderr.columns ?? 80) - 1);
    const text = `infernode: ${state.title} (${seconds(state.started)}) ${state.status}`;
    process.stderr.write(`\r\x1b[2K${text.slice(0, room)}`);
  } else if (performance.now() - state.printed > kSilence) {
    state.printed = performance.now();
    const done =
      state.progress === null ? "still at it" : summaryOf(state.progress, performance.now() - state.started);
    say(`${state.title}: ${done} after ${seconds(state.started)}`);
  }
}

function onLine(state, line) {
  if (verbose) printLine(`  ${line}`);
  const progress = progressOf(line);
  if (progress === null) return;
  const percent = Math.floor(100 * progress.share);
  const summary = summaryOf(progress, performance.now() - state.started);
  state.progress = progress;
  state.status = `${summary} ${line.replace(/^\[[^\]]*\]\s*/, "").replace(/^.*\//, "")}`;
  const tenth = Math.floor(percent / 10);
  if (!terminal && !verbose && tenth > state.tenth) {
    state.tenth = tenth;
    state.printed = performance.now();
    say(`${state.title}: ${summary} after ${seconds(state.started)}`);
  }
}

// { share, done?, of? } of the work: ninja writes "[12/74] ...", make writes "[ 16%] ...".
function progressOf(line) {
  const [, done, of] = (/^\[(\d+)\/(\d+)\]/.exec(line) ?? []).map(Number);
  if (of > 0) return { share: done / of, done, of };
  const percent = /^\[\s*(\d+)%\]/.exec(line);
  return percent ? { share: Number(percent[1]) / 100 } : null;
}

// "12 of 74 files, 16%, about 3 min left". `elapsed` is in milliseconds; what is left is
// reckoned from it as if all files took the same.
export function summaryOf({ share, done, of }, elapsed) {
  const files = of === undefined ? "" : `${done} of ${of} files, `;
  const left = share > 0 && share < 1 ? (elapsed / share) * (1 - share) : 0;
  const told = elapsed > kSilence / 4 && left > 0 ? `, about ${roughly(left / 1000)} left` : "";
  return `${files}${Math.floor(100 * share)}%${told}`;
}

function roughly(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
