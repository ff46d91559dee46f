// URLs from the platform's templates. `$ID` is the worker in the take template
// and the job in the others; `$RUNPOD_POD_ID` is the worker everywhere. A
// template is only ever replaced in and appended to: re-encoding it would change
// "gpu=NVIDIA+RTX+4090".
import type { WorkerConfig } from "./config.js";

type Query = Readonly<Record<string, string | number | undefined>>;

export class Urls {
  readonly #config: WorkerConfig;

  constructor(config: WorkerConfig) {
    this.#config = config;
  }

  /** One job where `free` is 1, else up to `free` jobs by the batch route. */
  take(free: number, inProgress: boolean): string {
    const url = this.#worker(this.#config.takeTemplate ?? "");
    const busy = { job_in_progress: inProgress ? 1 : 0 };
    if (free === 1) return this.#append(url, busy);
    return this.#append(url.replace("/job-take/", "/job-take-batch/"), { batch_size: free, ...busy });
  }

  /** Undefined where the take template has no /job-take/ to replace. */
  stop(): string | undefined {
    const url = this.#worker(this.#config.takeTemplate ?? "");
    return url.includes("/job-take/") ? url.replace("/job-take/", "/job-stop/") : undefined;
  }

  done(jobId: string, isStream: boolean): string {
    return this.#append(this.#job(this.#config.doneTemplate ?? "", jobId), { isStream: String(isStream) });
  }

  /** Undefined where no stream URL is set: chunks then go nowhere. */
  stream(jobId: string): string | undefined {
    const template = this.#config.streamTemplate;
    return template && this.#append(this.#job(template, jobId), { isStream: "false" });
  }

  ping(query: Query): string {
    const url = this.#worker(this.#config.pingTemplate ?? "");
    return this.#append(url, { ...query, runpod_version: this.#config.protocolVersion });
  }

  #worker(template: string): string {
    const { workerId } = this.#config;
    return template.replaceAll("$RUNPOD_POD_ID", () => workerId).replaceAll("$ID", () => workerId);
  }

  #job(template: string, jobId: string): string {
    const { workerId } = this.#config;
    const id = encodeURIComponent(Buffer.from(jobId).toString());
    return template.replaceAll("$RUNPOD_POD_ID", () => workerId).replaceAll("$ID", () => id);
  }

  #append(url: string, query: Query): string {
    const parts = Object.entries(query)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
      .join("&");
    return `${url}${url.includes("?") || this.#config.rawAppend ? "&" : "?"}${parts}`;
  }
}
