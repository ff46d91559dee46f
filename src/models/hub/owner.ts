// Who works at a partial file: a process, named so that another one on the same machine can
// tell whether it still lives. Other machines and containers cannot tell, and are told so.
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { pid } from "node:process";
import { z } from "zod";

/** A process. */
export interface Owner {
  /** Within which process ids mean the same: the machine's name, its boot, the container's processes. */
  readonly space: string;
  readonly pid: number;
  /** When the process began, in the system's ticks; "" where that is not known. */
  readonly started: string;
}

/** An owner as a journal holds it. */
export const ownerShape = z.object({ space: z.string(), pid: z.int().min(1), started: z.string() });

/** This process. */
export function thisOwner(): Owner {
  const boot = readOr("", () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  const container = readOr("", () => readlinkSync("/proc/self/ns/pid"));
  return { space: [hostname(), boot, container].join(" "), pid, started: startOf(pid)?.started ?? "" };
}

/** Whether the owner is known to have ended; false where that cannot be known. */
export function hasEnded(owner: Owner): boolean {
  const here = thisOwner();
  if (owner.space !== here.space) return false;
  if (owner.pid === here.pid && owner.started === here.started) return false;
  if (!exists(owner.pid)) return true;
  const now = startOf(owner.pid);
  return now !== undefined && (now.isZombie || (owner.started !== "" && now.started !== owner.started));
}

function exists(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Linux: what /proc tells of a process. */
function startOf(id: number): { readonly started: string; readonly isZombie: boolean } | undefined {
  const text = readOr("", () => readFileSync(`/proc/${id}/stat`, "utf8"));
  // The name, in parentheses, may hold anything; the state follows it, the start is 20 fields on.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, started] = [fields[0], fields[19]];
  return started === undefined ? undefined : { started, isZombie: state === "Z" };
}

function readOr(fallback: string, read: () => string): string {
  try {
    return read();
  } catch {
    return fallback;
  }
}
