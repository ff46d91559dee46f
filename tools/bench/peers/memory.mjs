// The memory of a process and all that it started: the sum of their proportional set sizes, in which
// a page shared by several processes counts once. Reads Linux's /proc; elsewhere undefined.
import { readdirSync, readFileSync } from "node:fs";

export function memoryOfTree(pid) {
  try {
    const parents = new Map(processes());
    const isBelow = (each) => each === pid || (parents.has(each) && isBelow(parents.get(each)));
    return [...parents.keys()].filter(isBelow).reduce((sum, each) => sum + memoryOf(each), 0);
  } catch {
    return undefined;
  }
}

// [pid, parent's pid] of every process; the name in /proc/PID/stat may hold spaces and brackets.
function* processes() {
  for (const name of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      yield [Number(name), Number(parent)];
    } catch {
      // It ended in between.
    }
  }
}

function memoryOf(pid) {
  try {
    const [, kibibytes] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
    return Number(kibibytes) * 1024;
  } catch {
    return 0;
  }
}
