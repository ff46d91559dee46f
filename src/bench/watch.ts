// What is watched beside a running repeat: how late this process's event loop is, how much CPU it
// takes, and how full the engine's KV cache gets.
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Surroundings } from "./figures.js";
import { PowerWatch } from "./power.js";
import type { Target } from "./target.js";

const resolutionMs = 5;
const nanosecondsPerMillisecond = 1e6;

/** Watches from its start until stop(). */
export class Watch {
  readonly #target: Target;
  readonly #before: Surroundings["before"];
  readonly #delays = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #cpuBefore = process.cpuUsage();
  readonly #startedMs = performance.now();
  readonly #kvTimer: NodeJS.Timeout;
  readonly #power: PowerWatch | null;
  #looking: Promise<void> = Promise.resolve();
  #isLooking = false;
  #kvUseMax: number | null = null;

  private constructor(target: Target, before: Surroundings["before"], power: PowerWatch | null) {
    this.#target = target;
    this.#power = power;
    this.#before = before;
    this.#delays.enable();
    this.#kvTimer = setInterval(() => this.#look(), target.lookEveryMs);
  }

  static async start(target: Target): Promise<Watch> {
    const power = target.power === null ? null : await PowerWatch.start(target.power);
    return new Watch(target, await target.counters(), power);
  }

  async stop(): Promise<Omit<Surroundings, "physics">> {
    this.#look();
    clearInterval(this.#kvTimer);
    this.#delays.disable();
    const { user, system } = process.cpuUsage(this.#cpuBefore);
    const cpuShare = (user + system) / 1000 / (performance.now() - this.#startedMs);
    await this.#looking;
    const moments = await this.#power?.stop();
    const { power: source } = this.#target;
    // A timer of 5 ms that fires after 7 was 2 ms late.
    const late = (nanoseconds: number) =>
      Math.max(
        0,
        (Number.isFinite(nanoseconds) ? nanoseconds : 0) / nanosecondsPerMillisecond - resolutionMs,
      );
    return {
      before: this.#before,
      after: await this.#target.counters(),
      kvUseMax: this.#kvUseMax,
      eventLoopDelayMs: {
        mean: late(this.#delays.mean),
        p50: late(this.#delays.percentile(50)),
        p99: late(this.#delays.percentile(99)),
        max: late(this.#delays.max),
      },
      cpuShare,
      power: moments === undefined || source === null ? null : { moments, names: source.names },
    };
  }

  /** One at a time: an endpoint may answer late. */
  #look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#looking = this.#target.kvUse().then((use) => {
      this.#isLooking = false;
      if (use !== null) this.#kvUseMax = Math.max(this.#kvUseMax ?? 0, use);
    });
  }
}
