// A download as a worker's log tells it: a line at its start, one every ten seconds, one at
// its end, and a warning where it would take longer than the platform waits for a worker.
import type { PullControl, PullProgress } from "../models/hub/remote-file.js";
import { type Environment, textOf } from "./environment.js";

/** Says something in the worker's log. */
export type Say = (level: "info" | "warn", message: string) => void;

const lineEveryMs = 10_000;
/** A speed is believed after this time: connections start slowly. */
const measuredAfterMs = 3000;
const defaultRunpodSeconds = 420;
const bytesPerMegabyte = 1e6;

/** How long a platform waits for a worker to start, and how that is changed. */
interface StartUpLimit {
  readonly seconds: number;
  readonly what: string;
}

/**
 * RunPod calls a worker unhealthy that is not ready after RUNPOD_INIT_TIMEOUT seconds, by
 * default 7 minutes (its documentation, development/optimization). Cloud Run's start-up probe
 * of GPU services waits 1,800 s at most (its documentation of health checks); K_SERVICE is
 * set there and nowhere else.
 */
export function startUpLimit(environment: Environment): StartUpLimit | undefined {
  const given = Number(textOf(environment, "RUNPOD_INIT_TIMEOUT"));
  if (given > 0) return { seconds: given, what: "RUNPOD_INIT_TIMEOUT" };
  if (textOf(environment, "RUNPOD_WEBHOOK_GET_JOB", "RUNPOD_ENDPOINT_ID") !== undefined) {
    return { seconds: defaultRunpodSeconds, what: "RunPod's start-up limit (RUNPOD_INIT_TIMEOUT raises it)" };
  }
  if (textOf(environment, "K_SERVICE") === undefined) return undefined;
  return { seconds: 1800, what: "Cloud Run's longest start-up probe" };
}

/** One download's lines. */
export class DownloadLog {
  /** For the pull. */
  readonly control: Pick<PullControl, "onProgress" | "onNotice">;
  readonly #name: string;
  readonly #limit: StartUpLimit | undefined;
  readonly #say: Say;
  readonly #now: () => number;
  #startMs: number | undefined;
  #lineMs = 0;
  #last: PullProgress | undefined;
  #warned = false;

  /** @param now milliseconds since the process started, from which the platform counts */
  constructor(name: string, environment: Environment, say: Say, now = () => performance.now()) {
    this.#name = name;
    this.#limit = startUpLimit(environment);
    this.#say = say;
    this.#now = now;
    this.control = {
      onProgress: (progress) => this.#progress(progress),
      onNotice: (sentence) => say("warn", sentence),
    };
  }

  /** Says that all is there; nothing where nothing was downloaded. */
  finish(): void {
    if (this.#startMs === undefined || this.#last === undefined) return;
    const seconds = (this.#now() - this.#startMs) / 1000;
    this.#say("info", `Downloaded ${this.#name}: ${size(this.#last.receivedBytes)} in ${duration(seconds)}.`);
  }

  #progress(progress: PullProgress): void {
    const now = this.#now();
    this.#last = progress;
    if (this.#startMs === undefined) {
      this.#startMs = now;
      this.#lineMs = now;
      const there = progress.bytes > 0 ? `, ${size(progress.bytes)} of them are there` : "";
      this.#say("info", `Downloading ${this.#name}: ${size(progress.totalBytes)}${there}.`);
      return;
    }
    const secondsLeft = this.#secondsLeft(progress, now);
    this.#warn(progress, now, secondsLeft);
    if (now - this.#lineMs < lineEveryMs) return;
    this.#lineMs = now;
    this.#say("info", `Downloading ${this.#name}: ${this.#figures(progress, now, secondsLeft)}.`);
  }

  #secondsLeft({ bytes, totalBytes, receivedBytes }: PullProgress, now: number): number | undefined {
    const elapsed = now - (this.#startMs ?? now);
    if (elapsed < measuredAfterMs || receivedBytes === 0) return undefined;
    return ((totalBytes - bytes) / receivedBytes) * (elapsed / 1000);
  }

  #figures(
    { bytes, totalBytes, receivedBytes }: PullProgress,
    now: number,
    left: number | undefined,
  ): string {
    const percent = totalBytes > 0 ? Math.floor((bytes / totalBytes) * 100) : 0;
    const speed = receivedBytes / Math.max(now - (this.#startMs ?? now), 1) / 1000;
    const rest = left === undefined ? "" : `, ${duration(left)} left`;
    return `${size(bytes)} of ${size(totalBytes)} (${percent} %), ${speed.toFixed(1)} MB/s${rest}`;
  }

  #warn(progress: PullProgress, now: number, left: number | undefined): void {
    const limit = this.#limit;
    if (this.#warned || limit === undefined || left === undefined) return;
    const ready = now / 1000 + left;
    if (ready <= limit.seconds) return;
    this.#warned = true;
    this.#say(
      "warn",
      `At this speed the download ends ${duration(ready)} after the worker's start, and ${limit.what} is ` +
        `${duration(limit.seconds)}: put the ${size(progress.totalBytes)} on a network volume or into the image.`,
    );
  }
}

function size(bytes: number): string {
  const megabytes = bytes / bytesPerMegabyte;
  return megabytes < 1000
    ? `${megabytes.toFixed(megabytes < 10 ? 1 : 0)} MB`
    : `${(megabytes / 1000).toFixed(1)} GB`;
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 120) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}
