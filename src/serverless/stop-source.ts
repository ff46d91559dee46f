// Asks the platform which jobs to stop, by long polls of job-stop: one call is
// one poll. Whatever goes wrong costs at most a request a second and one line.
import { pollHeaders, type SourceOptions } from "./job-source.js";
import { type WireClient, WireFailure, type WireResponse } from "./wire-client.js";

export interface StopOutcome {
  readonly ids: readonly string[];
  /** Milliseconds to wait before the next poll; undefined: ask no more. */
  readonly pauseMs: number | undefined;
}

const floorMs = 1000;
const tooManyPauseMs = 5000;
/** Platforms without job-stop answer 404 for ever. */
const missingLimit = 10;

export class StopSource {
  readonly #options: SourceOptions;
  readonly #client: WireClient;
  #missing = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#client = options.client;
  }

  /** One poll; never rejects. */
  async poll(signal: AbortSignal): Promise<StopOutcome> {
    const { urls, config, logger } = this.#options;
    const url = urls.stop();
    if (url === undefined) {
      logger.warnOnce("The job-take URL has no /job-take/, jobs cannot be stopped by the platform.");
      return { ids: [], pauseMs: undefined };
    }
    const started = performance.now();
    const answer = await this.#client
      .request({ method: "GET", url, headers: pollHeaders(config), timeoutMs: config.pollMs, signal })
      .catch((failure: WireFailure) => failure);
    const restMs = Math.max(0, floorMs - (performance.now() - started));
    if (answer instanceof WireFailure) return this.#failed(answer);
    return this.#answered(answer, restMs);
  }

  #failed(failure: WireFailure): StopOutcome {
    if (failure.kind === "network") this.#options.logger.warnOnce("Failed to ask for jobs to stop.");
    return { ids: [], pauseMs: failure.kind === "network" ? floorMs : 0 };
  }

  #answered(answer: WireResponse, restMs: number): StopOutcome {
    if (answer.status === 429) {
      return { ids: [], pauseMs: Math.max(answer.retryAfterMs ?? tooManyPauseMs, restMs) };
    }
    this.#missing = answer.status === 404 ? this.#missing + 1 : 0;
    if (this.#missing >= missingLimit) return { ids: [], pauseMs: undefined };
    if (answer.status >= 400) {
      this.#options.logger.warnOnce(`Failed to ask for jobs to stop. | status ${answer.status}`);
      return { ids: [], pauseMs: floorMs };
    }
    const ids = answer.status === 200 ? parseIds(answer.body) : [];
    return { ids, pauseMs: ids.length > 0 ? Math.min(restMs, 50) : restMs };
  }
}

function parseIds(body: string): readonly string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return [];
  }
  const ids = (parsed as { readonly jobsToStop?: unknown } | null)?.jobsToStop;
  if (!Array.isArray(ids)) return [];
  return [...new Set(ids.filter((id): id is string => typeof id === "string"))];
}
