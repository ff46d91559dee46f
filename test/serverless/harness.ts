// A worker and a platform in one process: the worker's own code over real HTTP on
// this machine, its environment, signals and log given by the test.

import { readConfig } from "../../src/serverless/config.js";
import { judgeStartOptions, type StartOptions } from "../../src/serverless/contract.js";
import type { Host, HostEvents } from "../../src/serverless/host.js";
import { start } from "../../src/serverless/start.js";
import { createPlatform, type Platform, type PlatformOptions } from "../../tools/platform-emulator/index.mjs";

export interface Running {
  /** Lines of the log, the banner first. */
  readonly lines: readonly string[];
  signal(name: "SIGTERM" | "SIGINT"): void;
  /** An exception nobody caught. */
  breakDown(thrown: unknown): void;
  /** @returns whether the worker takes over from process.exit() */
  callExit(code: number): boolean;
  /** Resolves with the exit code. */
  readonly ended: Promise<number>;
}

/** Starts a worker with this environment; it is up to the test to end it. */
export function startWorker(
  options: StartOptions | StartOptions["handler"],
  environment: Readonly<Record<string, string | undefined>>,
  args: readonly string[] = [],
): Running {
  const lines: string[] = [];
  let events: HostEvents | undefined;
  let end: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const host: Host = {
    environment,
    arguments: args,
    directory: ".",
    write: (text) => void lines.push(...text.split("\n").filter((line) => line !== "")),
    listen(given) {
      events = given;
      return () => {
        events = undefined;
      };
    },
    end: (code) => end(code),
  };
  const given = typeof options === "function" ? { handler: options } : options;
  start(given, host).catch((error: unknown) => {
    lines.push(String(error));
    end(-1);
  });
  return {
    lines,
    signal: (name) => events?.onSignal(name),
    breakDown: (thrown) => events?.onBroken(thrown),
    callExit: (code) => events?.onExit(code) ?? false,
    ended,
  };
}

export interface Scene {
  readonly platform: Platform;
  readonly worker: Running;
}

export interface SceneOptions {
  readonly platform?: PlatformOptions;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What the platform answers first. */
  readonly before?: (platform: Platform) => void;
}

/** A platform with a worker; both end with the work, whatever happens. */
export async function withWorker(
  options: StartOptions | StartOptions["handler"],
  { platform: platformOptions, env, before }: SceneOptions,
  work: (scene: Scene) => Promise<void>,
): Promise<void> {
  const platform = await createPlatform(platformOptions);
  before?.(platform);
  const worker = startWorker(options, platform.env(env));
  try {
    await work({ platform, worker });
  } finally {
    worker.signal("SIGTERM");
    worker.signal("SIGTERM");
    await worker.ended;
    await platform.close();
  }
}

/** Puts a job in the queue and waits for its end. */
export async function finished(platform: Platform, job: object, limitMs?: number) {
  const id = platform.enqueue(job);
  await platform.until(() => platform.job(id).done.length > 0, `job ${id} has ended`, limitMs);
  return platform.job(id);
}

/** Starts a worker that serves the local API. @returns it and the API's address */
export async function startApi(
  options: StartOptions | StartOptions["handler"],
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
) {
  const fixed = ["--rp_serve_api", "--rp_api_host", "127.0.0.1", "--rp_api_port", "0"];
  const worker = startWorker(options, environment, [...fixed, ...args]);
  for (;;) {
    const [, url] = /Serving the API on (http:[^\s"]+)/.exec(worker.lines.join("\n")) ?? [];
    if (url !== undefined) return { worker, url };
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Judges options as serverless.start() does. */
export const judged = judgeStartOptions;

/** A configuration as the platform's environment gives it. */
export const configOf = readConfig;

/** A promise and its keys. */
export function gate<Value = void>() {
  let open: (value: Value) => void = () => {};
  const opened = new Promise<Value>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}
