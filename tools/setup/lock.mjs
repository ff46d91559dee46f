// One set-up at a time per checkout: a file holding the owner's process id.
// A lock whose owner is gone (killed, power cut) is taken over.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { paths, shown } from "./paths.mjs";
import { say } from "./steps.mjs";

const kPoll = 300; // ms

export async function withLock(work) {
  mkdirSync(paths.state, { recursive: true });
  let announced = false;
  while (!tryAcquire()) {
    const owner = ownerOf();
    if (owner === null || !isAlive(owner)) {
      rmSync(paths.lock, { force: true });
      continue;
    }
    if (!announced)
      say(
        `another set-up (process ${owner}) is at work here; waiting for it. Its lock is ${shown(paths.lock)}.`,
      );
    announced = true;
    await delay(kPoll);
  }
  const release = () => rmSync(paths.lock, { force: true });
  process.on("exit", release);
  try {
    return await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

function tryAcquire() {
  try {
    writeFileSync(paths.lock, `${process.pid}\n`, { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function ownerOf() {
  try {
    const pid = Number.parseInt(readFileSync(paths.lock, "utf8"), 10);
    return pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
