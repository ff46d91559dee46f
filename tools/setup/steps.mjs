// Progress on stderr, so that stdout holds nothing but the program's own text.
// A step that has nothing to do prints nothing. On a terminal a running step
// keeps one line up to date; elsewhere it prints a line per tenth of the work,
// and a sign of life when a command is silent for long.

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
  const state = { title, started, tenth: 0, printed: started, status: "" };
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
    say(`${state.title}: still at it after ${seconds(state.started)}`);
  }
}

function onLine(state, line) {
  if (verbose) printLine(`  ${line}`);
  const percent = percentOf(line);
  if (percent === null) return;
  state.status = `${percent}% ${line.replace(/^\[[^\]]*\]\s*/, "").replace(/^.*\//, "")}`;
  const tenth = Math.floor(percent / 10);
  if (!terminal && !verbose && tenth > state.tenth) {
    state.tenth = tenth;
    state.printed = performance.now();
    say(`${state.title}: ${percent}% after ${seconds(state.started)}`);
  }
}

// Ninja writes "[12/74] ...", make writes "[ 16%] ...".
function percentOf(line) {
  const fraction = /^\[(\d+)\/(\d+)\]/.exec(line);
  if (fraction) return Math.floor((100 * Number(fraction[1])) / Number(fraction[2]));
  const percent = /^\[\s*(\d+)%\]/.exec(line);
  return percent ? Number(percent[1]) : null;
}
