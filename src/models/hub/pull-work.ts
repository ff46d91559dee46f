// What the steps of one pull share: connections, bounds, a signal; made for a pull and ended
// with it. Here failures get their last form.
import { setMaxListeners } from "node:events";
import { cancelledBy, InferenceError } from "../../errors.js";
import type { HubSettings } from "../hub-environment.js";
import { storageFailure } from "./failures.js";
import type { FetchContext } from "./fetch-file.js";
import { HttpClient } from "./http-client.js";
import { pullLimits } from "./limits.js";
import { Permits } from "./permits.js";
import type { PullControl } from "./remote-file.js";

/** What everything of one pull shares. */
export interface PullWork extends FetchContext {
  readonly client: HttpClient;
  readonly signal: AbortSignal;
}

/** Calls with connections that are closed afterwards; says CANCELLED where the signal ended it. */
export async function withClient<Result>(
  what: string,
  settings: HubSettings,
  control: PullControl,
  work: (shared: PullWork) => Promise<Result>,
): Promise<Result> {
  const { signal: outer, onNotice = () => {} } = control;
  if (outer?.aborted) throw cancelledBy(outer, "the pull");
  if (settings.offline) {
    throw new InferenceError("MODEL_NOT_FOUND", `${what} is not fetched: HF_HUB_OFFLINE forbids the network`);
  }
  const limits = { ...pullLimits, ...control.limits };
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // every connection listens
  const abort = () => stop.abort();
  outer?.addEventListener("abort", abort, { once: true });
  const client = new HttpClient(settings, limits);
  const permits = new Permits(limits.connections);
  try {
    return await work({ client, limits, permits, onNotice, signal: stop.signal });
  } catch (thrown) {
    if (outer?.aborted) throw cancelledBy(outer, "the pull");
    throw storageFailure(thrown, settings.cacheFolder);
  } finally {
    outer?.removeEventListener("abort", abort);
    client.close();
  }
}
