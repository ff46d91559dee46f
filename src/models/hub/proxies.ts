// Which way a request leaves: straight, or through the proxy that the settings name. NO_PROXY
// is read as curl and Python do. Connections are kept and belong to the pull that made them.
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { HttpProxyAgent } from "http-proxy-agent";
import { HttpsProxyAgent } from "https-proxy-agent";
import type { ProxySettings } from "../hub-environment.js";

/** The agents of one pull. */
export class Agents {
  readonly #proxy: ProxySettings;
  readonly #agents = new Map<string, HttpAgent>();

  constructor(proxy: ProxySettings) {
    this.#proxy = proxy;
  }

  /** The agent for a target; the same one for every target that goes the same way. */
  for(target: URL): HttpAgent {
    const proxy = proxyFor(target, this.#proxy);
    const key = `${target.protocol} ${proxy ?? ""}`;
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const made = newAgent(target.protocol, proxy);
    this.#agents.set(key, made);
    return made;
  }

  /** Closes all connections. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}

function newAgent(protocol: string, proxy: string | undefined): HttpAgent {
  const options = { keepAlive: true };
  if (protocol === "https:")
    return proxy === undefined ? new HttpsAgent(options) : new HttpsProxyAgent(proxy, options);
  return proxy === undefined ? new HttpAgent(options) : new HttpProxyAgent(proxy, options);
}

/** The proxy's URL for a target; undefined: none. */
export function proxyFor(target: URL, proxy: ProxySettings): string | undefined {
  const url = target.protocol === "https:" ? proxy.https : proxy.http;
  return url === undefined || isExcepted(target, proxy.except) ? undefined : url;
}

/** Whether NO_PROXY names the target: "*", a host and all below it, each with a port or without. */
function isExcepted(target: URL, except: string): boolean {
  const host = bareHost(target.hostname);
  const port = target.port === "" ? (target.protocol === "https:" ? "443" : "80") : target.port;
  return except
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      const [, name = "", namedPort] =
        /^(\[.*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
      if (namedPort !== undefined && namedPort !== port) return false;
      const domain = bareHost(name).replace(/^\*?\./, "");
      return domain !== "" && (host === domain || host.endsWith(`.${domain}`));
    });
}

function bareHost(name: string): string {
  return name
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
}
