// A server from its start to its end: listens at once, so that probes see it load; serves;
// and when it is told to leave finishes what it has. @returns the exit code.
import { setMaxListeners } from "node:events";
import { sleep } from "../backoff.js";
import { isErrorCode } from "../errors.js";
import { Admission } from "../http/admission.js";
import { createApp, probesOf, type ServerState } from "../http/app.js";
import { BodyBudget } from "../http/body-budget.js";
import { type Listener, type ListenOptions, listen } from "../http/listener.js";
import { type OpenaiParts, shuttingDown } from "../http/openai-routes.js";
import { ResponseStore } from "../openai/response-store.js";
import { versionIn } from "../package-root.js";
import { Concurrency } from "../serverless/concurrency.js";
import { readConfig, type WorkerConfig } from "../serverless/config.js";
import type { Host } from "../serverless/host.js";
import { listenForLeaving, type Stoppable } from "../serverless/leaving.js";
import type { LocalJob } from "../serverless/local-job.js";
import { LocalJobs } from "../serverless/local-jobs.js";
import { preparedLocally } from "../serverless/local-mode.js";
import { Logger } from "../serverless/logger.js";
import { whyNotListening } from "../serverless/not-listening.js";
import { unlessLeaving } from "../serverless/preparing.js";
import { Webhooks } from "../serverless/webhooks.js";
import { messageOfThrown } from "../thrown.js";
import { DataFolder } from "./data-folder.js";
import { JobApi } from "./job-api.js";
import { ServerMetrics } from "./metrics.js";
import { ModelSleep } from "./model-sleep.js";
import type { JudgedServeOptions } from "./options.js";
import { addPlatformRoutes, type PlatformParts } from "./platform-routes.js";
import { addPlayground } from "./playground.js";
import type { Served } from "./served.js";

/** Milliseconds that clients get; tests have less patience. */
export interface ServerTimes extends Omit<ListenOptions, "host" | "port"> {
  readonly stallMs: number;
  /** That a request waits for the model. */
  readonly loadingMs: number;
  /** That a request waits for a model that was unloaded. */
  readonly wakingMs: number;
  /** That webhooks get at a forced end to hear of the jobs that were failed. */
  readonly lastWebhooksMs: number;
}

const usualTimes: ServerTimes = {
  headersMs: 15_000,
  requestMs: 60_000,
  idleMs: 75_000,
  stallMs: 300_000,
  loadingMs: 10_000,
  wakingMs: 300_000,
  lastWebhooksMs: 2000,
};

/** Of all bodies of jobs that are being read. */
const readingBytes = 256_000_000;
/** Webhooks of an earlier process that are told at once. */
const owingAtOnce = 8;
/** Starts of a job whose process dies each time: twice among others, once alone. */
const usualJobStarts = 3;
/** Requests under way before it is known how many the engine computes at once. */
const atFirst = 8;

export class Server implements Stoppable {
  readonly #served: Served;
  readonly #options: JudgedServeOptions;
  readonly #config: WorkerConfig;
  readonly #logger: Logger;
  readonly #times: ServerTimes;
  readonly #admission: Admission;
  readonly #jobs: LocalJobs;
  readonly #webhooks: Webhooks;
  readonly #data: DataFolder | undefined;
  readonly #ending = new AbortController();
  readonly #stopping = new AbortController();
  readonly #loaded = new AbortController();
  #sleep: ModelSleep | undefined;
  #listener: Listener | undefined;
  #probes: Listener | undefined;

  /** @param times other than the usual ones, for tests */
  constructor(served: Served, options: JudgedServeOptions, host: Host, times: Partial<ServerTimes> = {}) {
    this.#served = served;
    this.#options = options;
    this.#config = readConfig(host.environment);
    this.#logger = new Logger((line) => host.write(line), this.#config.logLevel, false);
    this.#times = { ...usualTimes, ...times };
    // As many listeners as there are requests.
    for (const { signal } of [this.#ending, this.#stopping, this.#loaded]) setMaxListeners(0, signal);
    this.#admission = new Admission(
      () =>
        (this.#loaded.signal.aborted ? (served.text?.concurrency() ?? atFirst) : atFirst) + options.maxQueue,
      options.maxQueueTokens,
    );
    const concurrency = new Concurrency(served.options.concurrencyModifier, this.#logger);
    this.#webhooks = new Webhooks(this.#logger, undefined, undefined, options.allowsPrivateWebhooks);
    this.#data = options.dataFolder === undefined ? undefined : new DataFolder(options.dataFolder);
    this.#jobs = new LocalJobs({
      options: served.options,
      config: this.#config,
      logger: this.#logger,
      limit: async () => (this.#runsJobs() ? concurrency.next() : 0),
      onEnd: (job) => void this.#tellWebhook(job),
      store: this.#data,
      mostDeaths: options.maxJobStarts ?? usualJobStarts,
    });
  }

  /** The port it listens on; undefined before. */
  get port(): number | undefined {
    return this.#listener?.port;
  }

  /** Requests under way, and jobs that wait or run. */
  get jobs(): number {
    return this.#admission.living + this.#jobs.jobs;
  }

  stop(): void {
    this.#stopping.abort();
    this.#sleep?.stop();
    this.#jobs.stop();
  }

  async failAll(reason: string): Promise<void> {
    this.stop();
    this.#ending.abort(reason);
    await Promise.all([this.#admission.drained(), this.#jobs.failAll(reason)]);
    await this.#webhooksTold();
  }

  async run(host: Host): Promise<number> {
    const leaving = listenForLeaving(this, this.#config, this.#logger, host);
    try {
      const metrics = await ServerMetrics.create({
        requests: () => this.#admission,
        ...(this.#served.text !== undefined && { model: () => this.#modelFigures() }),
      });
      if (!(await this.#jobsRestored())) return 1;
      if (!(await this.#listening(metrics))) return 1;
      void this.#tellOwing();
      const { options, text } = this.#served;
      const prepared = await unlessLeaving(leaving, (signal) =>
        preparedLocally(options, this.#logger, signal),
      );
      if (!prepared) {
        await this.failAll("the worker cannot be prepared");
        return 1;
      }
      if (options.refreshWorker)
        this.#logger.warn("refreshWorker has no effect: nothing would start this server again.");
      if (!this.#stopping.signal.aborted) {
        if (text !== undefined) metrics.add(text);
        this.#mayFallAsleep();
        this.#loaded.abort();
        void this.#jobs.fill();
        this.#tellReady();
        await leaving.asked;
      } else await this.#jobs.failAll(shuttingDown.message); // nothing can run them
      await Promise.race([this.#drained(), leaving.forced]);
      return leaving.code();
    } finally {
      leaving.stop();
      await Promise.all([this.#listener?.close(), this.#probes?.close()]);
      await this.#data?.close();
      await this.#served.close();
    }
  }

  /** Takes up the jobs of the folder. @returns false where it cannot be had; the log says why */
  async #jobsRestored(): Promise<boolean> {
    if (this.#data === undefined) return true;
    try {
      const unfinished = await this.#data.open();
      this.#jobs.restore(unfinished);
      const begun = unfinished.filter(({ retries }) => retries > 0).length;
      if (unfinished.length > 0)
        this.#logger.info(`Taking up ${unfinished.length} jobs; ${begun} of them are run again.`);
      return true;
    } catch (thrown) {
      this.#logger.error(`The server cannot start: ${messageOfThrown(thrown)}`);
      return false;
    }
  }

  /** Webhooks of jobs that ended in a process which did not get to tell them; a few at a time. */
  async #tellOwing(): Promise<void> {
    const ids = (await this.#data?.owing().catch(() => [])) ?? [];
    const left = ids.values();
    const tell = async () => {
      for (const id of left) {
        const job = await this.#jobs.recall(id).catch(() => undefined);
        if (job !== undefined && !this.#stopping.signal.aborted) await this.#tellWebhook(job);
      }
    };
    await Promise.all(Array.from({ length: owingAtOnce }, tell));
  }

  async #tellWebhook(job: LocalJob): Promise<void> {
    const isTold = await this.#webhooks.tell(job);
    if (isTold && job.isStored) this.#data?.told(job.job.id);
  }

  async #drained(): Promise<void> {
    const done = new AbortController();
    const jobs = this.#jobs.drained().then(() => this.#webhooks.settled());
    // An answer can take longer to reach its caller than it took to make.
    const answers = async () => this.#listener?.answered();
    void Promise.all([this.#admission.drained(), jobs])
      .then(answers)
      .then(() => done.abort());
    await sleep(this.#options.drainMs, done.signal);
    if (done.signal.aborted) return;
    const living = Math.max(this.jobs, this.#listener?.answering ?? 0);
    this.#logger.warn(`${living} requests did not end within ${this.#options.drainMs} ms and are failed.`);
    await this.failAll(shuttingDown.message);
  }

  /** Or had their time. */
  async #webhooksTold(): Promise<void> {
    const told = new AbortController();
    void this.#webhooks.settled().then(() => told.abort());
    await sleep(this.#times.lastWebhooksMs, told.signal);
  }

  async #listening(metrics: ServerMetrics): Promise<boolean> {
    const { port } = this.#options;
    const openai = this.#openai();
    const app = createApp({
      guard: { keys: this.#options.ring, origins: this.#options.origins, isLocal: this.#options.isLocal },
      state: () => this.#state,
      loaded: () => sleep(this.#times.loadingMs, this.#loaded.signal, this.#stopping.signal),
      figures: () => this.#figures(),
      metrics: () => metrics.scrape(),
      version: versionIn("package.json"),
      open: (routes) => {
        if (this.#hasPlayground) addPlayground(routes);
      },
      openai,
      more: (routes) => addPlatformRoutes(routes, this.#platform(openai)),
    });
    this.#listener = await this.#listen((request) => app.fetch(request), port, "--port or PORT");
    const { healthPort } = this.#options;
    if (this.#listener === undefined || healthPort === undefined || healthPort === this.port)
      return this.#listener !== undefined;
    this.#probes = await this.#listen(probesOf(app), healthPort, "PORT_HEALTH");
    return this.#probes !== undefined;
  }

  /** Undefined where the port, which `name` gave, cannot be had; the log says why. */
  async #listen(
    fetch: Parameters<typeof listen>[0],
    port: number,
    name: string,
  ): Promise<Listener | undefined> {
    const { host } = this.#options;
    try {
      return await listen(fetch, { host, port, ...this.#times });
    } catch (thrown) {
      this.#logger.error(`The server cannot listen on ${host}:${port}: ${whyNotListening(thrown, name)}`);
      return undefined;
    }
  }

  #tellReady(): void {
    const { host, ring } = this.#options;
    const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    const key = ring.isEmpty ? "no key is needed" : "a key is needed";
    const url = `http://${name}:${this.port}`;
    this.#logger.info(`Serving on ${url} (${key}).`);
    if (this.#hasPlayground) this.#logger.info(`A page to try it: ${url}/`);
    if (this.#served.text !== undefined) this.#logger.info(`From a shell: ${curlLine(url, !ring.isEmpty)}`);
  }

  /** A handler has no model that the page could try. */
  get #hasPlayground(): boolean {
    return this.#options.playground && this.#served.text !== undefined;
  }

  get #state(): ServerState {
    if (this.#stopping.signal.aborted) return "draining";
    if (!this.#loaded.signal.aborted) return "loading";
    if (this.#served.text?.isBroken()) return "broken";
    switch (this.#sleep?.residence) {
      case "unloaded":
      case "unloading":
        return "asleep";
      case "loading":
        return "waking";
      default:
        return "ready";
    }
  }

  #modelFigures() {
    const loads = this.#sleep?.loads ?? Number(this.#loaded.signal.aborted);
    return { isLoaded: loads > 0 && (this.#sleep?.residence ?? "loaded") === "loaded", loads };
  }

  /** Where jobs wait for a model that is unloaded, it is loaded. */
  #runsJobs(): boolean {
    return this.#loaded.signal.aborted && (this.#sleep?.awakeForJobs() ?? true);
  }

  #mayFallAsleep(): void {
    const { idleMs } = this.#options;
    const { options, text } = this.#served;
    if (idleMs === undefined || text === undefined) return;
    const seconds = idleMs / 1000;
    this.#sleep = new ModelSleep({
      idleMs,
      wakingMs: this.#times.wakingMs,
      load: () => preparedLocally(options, this.#logger, this.#ending.signal),
      unload: async () => {
        this.#logger.info(`Unloading the model: nothing was asked of it for ${seconds} s.`);
        await text.unload().catch((thrown: unknown) => this.#logger.error(messageOfThrown(thrown)));
      },
      isUsed: () => this.jobs > 0,
      onAwake: () => void this.#jobs.fill(),
    });
  }

  #figures(): Readonly<Record<string, unknown>> {
    const requests = { under_way: this.#admission.living, limit: this.#admission.limit };
    const jobs = { running: this.#jobs.count("IN_PROGRESS"), waiting: this.#jobs.count("IN_QUEUE") };
    if (!this.#loaded.signal.aborted || this.#served.text === undefined) return { requests, jobs };
    const { running, waiting } = this.#served.text.stats();
    return { models: this.#served.text.model().names, requests, jobs, engine: { running, waiting } };
  }

  #platform(openai: OpenaiParts | undefined): PlatformParts {
    const { maxBodyBytes: limitBytes, endpointId, allowsPrivateWebhooks } = this.#options;
    const { text } = this.#served;
    const parts = { jobs: this.#jobs, budget: new BodyBudget(readingBytes), limitBytes };
    const isReady = () =>
      this.#modelFigures().isLoaded || (text === undefined && this.#loaded.signal.aborted);
    return {
      api: new JobApi({
        ...parts,
        allowsPrivateWebhooks,
        isReady,
        isAsleep: () => this.#state === "asleep",
        onStoreFailure: (reason) => this.#logger.error(`A job was not stored: ${reason}`),
      }),
      endpointId,
      openai,
      calls: { ...parts, stallMs: this.#times.stallMs },
    };
  }

  #openai(): OpenaiParts | undefined {
    const { text } = this.#served;
    if (text === undefined) return undefined;
    return {
      model: text.model,
      responses: new ResponseStore(),
      admission: this.#admission,
      limitBytes: this.#options.maxBodyBytes,
      stallMs: this.#times.stallMs,
      ending: this.#ending.signal,
      awake: async (signal) => this.#sleep?.awake(signal),
      onUnknown: text.onUnknown,
      onFailure: (error) => {
        this.#logger.error(`A request failed: ${error.message}`);
        const code = error.code?.toUpperCase();
        if (text.isBroken() && isErrorCode(code)) text.onBroken(code);
      },
    };
  }
}

function curlLine(url: string, needsKey: boolean): string {
  const key = needsKey ? ' -H "Authorization: Bearer $INFERNODE_API_KEY"' : "";
  const body = JSON.stringify({ messages: [{ role: "user", content: "Who are you?" }] });
  return `curl -s ${url}/v1/chat/completions -H "Content-Type: application/json"${key} -d '${body}'`;
}
