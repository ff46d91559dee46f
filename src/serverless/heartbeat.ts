// Pings from a thread of their own, and the one unhealthy ping of a worker that
// cannot work. Owns the thread; the thread owns its timer.
import { join } from "node:path";
import { Worker as Thread } from "node:worker_threads";
import { packageRoot } from "../package-root.js";
import { describeThrown } from "../thrown.js";
import type { WorkerConfig } from "./config.js";
import type { Logger } from "./logger.js";
import { Urls } from "./urls.js";
import { WireClient } from "./wire-client.js";

export interface HeartbeatData {
  /** Without job ids; ends in "runpod_version=…". */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  /** Ids the first ping tells. */
  readonly jobs: readonly string[];
}

export type HeartbeatMessage =
  | { readonly type: "started" }
  | { readonly type: "failed"; readonly reason: string };

const unhealthyMs = 2000;
const reasonCharacters = 256;
const goneMs = 20;

export class Heartbeat {
  readonly #config: WorkerConfig;
  readonly #logger: Logger;
  #thread: Thread | undefined;
  #jobs: readonly string[] = [];
  /** What the thread knows. */
  #told: ReadonlySet<string> = new Set();
  #telling: NodeJS.Timeout | undefined;

  constructor(config: WorkerConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
  }

  /** Whether key, pod id and URL are all set; without them nobody is pinged. */
  get possible(): boolean {
    const { apiKey, podId, pingTemplate } = this.#config;
    return apiKey !== "" && podId !== undefined && pingTemplate !== undefined;
  }

  /**
   * Resolves when the first ping is on its way.
   * @throws where the thread cannot run: a worker that is silent loses each job it takes
   */
  async start(): Promise<void> {
    if (this.#config.pingTemplate === undefined) {
      this.#logger.error("Ping URL not set, cannot start ping.");
    }
    if (this.possible) await this.#beat();
  }

  async #beat(): Promise<void> {
    const { apiKey, userAgent, pingIntervalMs } = this.#config;
    const workerData: HeartbeatData = {
      url: new Urls(this.#config).ping({}),
      headers: { Authorization: apiKey, "User-Agent": userAgent, Accept: "*/*" },
      intervalMs: pingIntervalMs,
      jobs: this.#jobs,
    };
    const thread = new Thread(join(packageRoot(), "dist/heartbeat-thread.js"), { workerData });
    this.#thread = thread;
    this.#told = new Set(this.#jobs);
    await new Promise<void>((resolve, reject) => {
      thread.on("message", (message: HeartbeatMessage) => {
        if (message.type === "failed") this.#logger.error(`Ping Request Error: ${message.reason}`);
        else {
          resolve();
          thread.on("exit", () => this.#brokeDown(thread));
        }
      });
      thread.on("error", (error) => {
        this.#logger.error(`The heartbeat broke down: ${error.message}`);
        reject(error);
      });
      thread.on("exit", () => {
        if (this.#thread === thread) reject(new Error("the heartbeat ended as it began"));
        else resolve(); // stopped
      });
    });
  }

  /** Another thread takes over: the jobs here must not be given away. */
  #brokeDown(thread: Thread): void {
    if (this.#thread !== thread) return; // stopped
    const again = () => {
      if (this.#thread === thread) this.#beat().catch(() => this.#brokeDown(this.#thread ?? thread));
    };
    setTimeout(again, this.#config.pingIntervalMs).unref();
  }

  /**
   * The ids the next pings tell. New ones are passed on at once, before a handler can
   * block this thread; that one has gone may wait for the next of a few milliseconds.
   */
  setJobs(ids: readonly string[]): void {
    const grew = ids.some((id) => !this.#told.has(id));
    this.#jobs = ids;
    if (grew) this.#tell();
    else this.#telling ??= setTimeout(() => this.#tell(), goneMs).unref();
  }

  #tell(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#told = new Set(this.#jobs);
    this.#thread?.postMessage(this.#jobs);
  }

  async stop(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    clearTimeout(this.#telling);
    await thread?.terminate();
  }

  /** Tells the platform once why this worker cannot work; never rejects. */
  async sayUnhealthy(check: string, thrown: unknown): Promise<void> {
    if (!this.possible) return;
    const reason = describeThrown(thrown).slice(0, reasonCharacters);
    const url = new Urls(this.#config).ping({ status: "unhealthy", check, reason });
    const headers = { Authorization: this.#config.apiKey, "User-Agent": this.#config.userAgent };
    const client = new WireClient();
    await client.request({ method: "GET", url, headers, timeoutMs: unhealthyMs }).catch(() => {});
    client.close();
  }
}
