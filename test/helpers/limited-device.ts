// The limited device of the native tests (test/native/limited_device) in a Node process: a device
// of CPU buffers with as much memory as a test gives it, which fails when it is told to. A build
// without the native tests has no such library; suites that need it are then skipped by name.
import { existsSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe } from "vitest";
import { nativeFolder } from "./native-folder.js";

const home = fileURLToPath(new URL("../../.build/release/bin/limited", import.meta.url));

/** What makes the device fail; see limited_device.cpp. */
export interface Limits {
  /** Devices, Limited0 and Limited1. Default 1. */
  readonly count?: 1 | 2;
  /** Bytes of each device's memory. Default 1 GiB. */
  readonly memory?: readonly number[];
  /** The computation that fails, from 1, and each after it. */
  readonly computeAt?: number;
  /** Whether that computation fails alone. */
  readonly once?: boolean;
  /** How it fails: with an error's status, for want of memory, by an exception or by ggml's abort. */
  readonly manner?: "fails" | "memory" | "throws" | "aborts";
}

export type LimitedEnvironment = (limits?: Limits) => Readonly<Record<string, string>>;

/**
 * A suite with the limited device.
 * @param suite gets a function that makes the environment of a process which has the device
 */
export function describeLimited(name: string, suite: (environment: LimitedEnvironment) => void): void {
  const library = existsSync(home) ? readdirSync(home).find((each) => each.endsWith(".so")) : undefined;
  if (library === undefined) {
    describe.skip(`${name}: the native tests are not built: npm test`, () => suite(() => ({})));
    return;
  }
  describe(name, () => {
    const folder = nativeFolder();
    symlinkSync(join(home, library), join(folder, library));
    afterAll(() => rmSync(folder, { recursive: true }));
    suite(({ count = 1, memory = [], computeAt = 0, once = false, manner = "fails" } = {}) => ({
      INFERNODE_NATIVE: folder,
      INFERNODE_LIMITED_DEVICES: String(count),
      INFERNODE_LIMITED_MEMORY: memory.join(","),
      INFERNODE_LIMITED_COMPUTE_AT: `${computeAt}${once ? "!" : ""}`,
      INFERNODE_LIMITED_MANNER: manner,
    }));
  });
}
