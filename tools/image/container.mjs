// A process in a folder that is an image's root file system: in a mount and process
// namespace of its own, as process 1, as a container runtime would start it. Needs root.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

// In the new namespaces: $1 the root, $2 "ro" or "rw", $3 user:group, $4 the working
// directory, then "source:target" binds up to --, then the command. Each step replaces this
// shell, so that the command is process 1.
const kEnter = `
set -eu
root=$1 access=$2 user=$3 directory=$4
shift 4
mount --bind "$root" "$root"
cd "$root"
while [ "$1" != -- ]; do
  mkdir -p "$root\${1#*:}"
  mount --bind "\${1%%:*}" "$root\${1#*:}"
  shift
done
shift
if [ "$access" = ro ]; then mount -o remount,bind,ro "$root"; fi
mount -t proc proc "$root/proc"
exec chroot --userspec="$user" "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "$@"
`;

const kLimitMs = 600_000;

// Starts `command` in the root. Options: env, user ("0:0"), directory ("/"), readOnly,
// binds ({ target: source }). The result: `lines` of its output, `ended` resolves to its
// exit code or signal (SIGKILL after 10 minutes), `signal(name)` reaches process 1 from
// outside, as `docker stop` does.
export function startIn(root, command, options = {}) {
  const { env = {}, user = "0:0", directory = "/", readOnly = false, binds = {} } = options;
  const places = Object.entries(binds).map(([target, source]) => `${source}:${target}`);
  const args = ["--mount", "--pid", "--fork", "/bin/sh", "-c", kEnter, "enter"];
  const child = spawn(
    "unshare",
    [...args, root, readOnly ? "ro" : "rw", user, directory, ...places, "--", ...command],
    { env: { PATH: kPath, ...env }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const lines = [];
  const waiting = new Set();
  for (const stream of [child.stdout, child.stderr]) collect(stream, lines, waiting);
  const kill = () => killNamespace(child.pid);
  process.on("exit", kill);
  const limit = setTimeout(kill, kLimitMs);
  let over = false;
  const ended = once(child, "close").then(([code, signal]) => {
    clearTimeout(limit);
    process.off("exit", kill);
    over = true;
    for (const look of waiting) look();
    return code ?? signal;
  });
  return {
    lines,
    ended,
    get init() {
      return firstChildOf(child.pid);
    },
    signal: (name) => process.kill(firstChildOf(child.pid), name),
    // Resolves when a line of the output matches; rejects where the process ends before.
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const line = lines.find((each) => pattern.test(each));
          if (line === undefined && !over) return;
          waiting.delete(look);
          if (line !== undefined) resolve(line);
          else reject(new Error(`it ended without saying ${pattern}: ${lines.slice(-8).join(" | ")}`));
        };
        waiting.add(look);
        look();
      }),
    kill,
  };
}

// The end of process 1 is its namespace's; unshare then ends by itself. (Its own option
// --kill-child is lost where process 1 changes its user.)
function killNamespace(unshare) {
  const [init] = existsSync(`/proc/${unshare}`) ? childrenOf(unshare) : [];
  if (init !== undefined) process.kill(init, "SIGKILL");
}

export const kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Runs a command there to its end. Resolves to { code, text }.
export async function runIn(root, command, options) {
  const { lines, ended } = startIn(root, command, options);
  const code = await ended;
  return { code, text: lines.join("\n") };
}

// Runs a command beside process 1 of a started container, as `docker exec` and a health
// check do. Resolves to { code, text }.
export async function execIn(container, root, command, { env = {}, user = "0:0" } = {}) {
  const enter = ["-t", String(container.init), "--mount", "--pid"];
  const child = spawn("nsenter", [...enter, "chroot", `--userspec=${user}`, root, ...command], {
    env: { PATH: kPath, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines = [];
  for (const stream of [child.stdout, child.stderr]) collect(stream, lines, new Set());
  const [code, signal] = await once(child, "close");
  return { code: code ?? signal, text: lines.join("\n") };
}

// Children of a process that have ended and that nobody has waited for.
export function zombiesOf(pid) {
  return childrenOf(pid).filter((child) => /^State:\s*Z/m.test(statusOf(child)));
}

function statusOf(pid) {
  try {
    return readFileSync(path.join("/proc", String(pid), "status"), "utf8");
  } catch {
    return ""; // gone in the meantime
  }
}

// The processes that a process has started, by their numbers outside the container.
export function childrenOf(pid) {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return listed.split(" ").filter(Boolean).map(Number);
}

function firstChildOf(pid) {
  const [child] = childrenOf(pid);
  if (child === undefined) throw new Error("the container has no process");
  return child;
}

function collect(stream, lines, waiting) {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    lines.push(...parts.filter((line) => line !== ""));
    for (const look of waiting) look();
  });
  stream.on("end", () => {
    if (rest !== "") lines.push(rest);
  });
}
