// Scrapes an endpoint's /metrics while it is measured. Found once at the beginning; an endpoint
// without it has no figures of its engine, which is no failure.
import type { Connections } from "./http-exchange.js";
import { readServerMetrics, type ServerMetrics } from "./server-metrics.js";

/** Where it lies, and how it is asked. */
export interface MetricsSource {
  readonly connections: Connections;
  readonly headers: Readonly<Record<string, string>>;
  readonly model: string;
  readonly url: URL;
}

const scrapeMs = 5000;

/** One look. @returns null where it cannot be read or tells nothing that is known */
export async function scrape({
  connections,
  headers,
  model,
  url,
}: MetricsSource): Promise<ServerMetrics | null> {
  const signal = AbortSignal.timeout(scrapeMs);
  let text = "";
  const decoder = new TextDecoder();
  const bytes = (read: Uint8Array) => {
    text += decoder.decode(read, { stream: true });
  };
  const end = await connections.exchange({ method: "GET", url, headers, signal }, { bytes });
  return end.type === "answered" && end.status === 200 && end.isWhole ? readServerMetrics(text, model) : null;
}

/**
 * Servers have it beside /v1, or at the root where /v1 lies deeper.
 * @param base the address below which the API's paths lie
 */
export async function findMetrics(
  source: Omit<MetricsSource, "url">,
  base: string,
): Promise<MetricsSource | null> {
  const beside = new URL(`${base.replace(/\/v\d+$/, "")}/metrics`);
  const root = new URL("/metrics", base);
  for (const url of beside.href === root.href ? [root] : [beside, root]) {
    if ((await scrape({ ...source, url })) !== null) return { ...source, url };
  }
  return null;
}
