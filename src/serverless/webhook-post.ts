// One POST to an address that a caller named. Where private addresses are refused, the
// address is judged that the name stands for at the moment of the connection, so that a name
// which changes its address does not get around it. Redirects are not followed: most would
// turn the POST into a GET, and each would lead elsewhere.
import dns from "node:dns";
import http from "node:http";
import https from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { versionIn } from "../package-root.js";
import { messageOfThrown } from "../thrown.js";

/** What became of a POST. */
export type Posted =
  | { readonly type: "ok" }
  | { readonly type: "failed"; readonly reason: string }
  /** It would have gone to this machine or its network. */
  | { readonly type: "refused"; readonly reason: string };

export interface PostOptions {
  /** Whether this machine and its network may be called. */
  readonly allowsPrivate: boolean;
  /** Milliseconds for the whole. */
  readonly timeoutMs: number;
}

/** Never rejects, and settles whatever the other side does. */
export async function postJson(url: string, body: string, options: PostOptions): Promise<Posted> {
  try {
    return await post(url, body, options);
  } catch (thrown) {
    return { type: "failed", reason: messageOfThrown(thrown) }; // Node refuses some URLs by throwing
  }
}

function post(url: string, body: string, { allowsPrivate, timeoutMs }: PostOptions): Promise<Posted> {
  const { protocol, hostname } = new URL(url);
  if (!allowsPrivate && namesPrivate(hostname)) return Promise.resolve(refused(hostname));
  const { request } = protocol === "https:" ? https : http;
  const headers = {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    "User-Agent": `infernode/${versionIn("package.json")}`, // firewalls refuse requests without one
  };
  const options = {
    method: "POST",
    headers,
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
    ...(!allowsPrivate && { lookup: publicLookup }),
  };
  return new Promise((resolve) => {
    request(url, options, (response) => {
      response.on("error", () => {}).destroy();
      resolve(postedOf(response.statusCode ?? 0, response.headers.location));
    })
      .on("upgrade", (response, socket) => {
        socket.destroy();
        resolve(postedOf(response.statusCode ?? 0, undefined));
      })
      .on("close", () => resolve({ type: "failed", reason: "it closed the connection without an answer" }))
      .on("error", (thrown) => {
        if (thrown instanceof PrivateAddress) resolve(refused(thrown.address));
        else resolve({ type: "failed", reason: messageOfThrown(thrown) });
      })
      .end(body);
  });
}

/**
 * Whether a URL's host is an address of this machine or of a network that is not the
 * internet, or the name "localhost". What other names stand for is looked up when they are called.
 */
export function namesPrivate(hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, "");
  return isIP(address) > 0 ? isPrivate(address) : /(?:^|\.)localhost\.?$/i.test(hostname);
}

function postedOf(status: number, location: string | undefined): Posted {
  if (status >= 200 && status < 300) return { type: "ok" };
  const target = location === undefined ? "" : `, a redirect to ${location}`;
  return { type: "failed", reason: `it answered ${status}${target}` };
}

function refused(address: string): Posted {
  return { type: "refused", reason: `${address} is no public address` };
}

class PrivateAddress extends Error {
  readonly address: string;

  constructor(address: string) {
    super(`${address} is no public address`);
    this.address = address;
  }
}

/** As dns.lookup(), without addresses that are private. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  dns.lookup(hostname, { ...options, all: true }, (error, found) => {
    if (error) return callback(error, "");
    const open = found.filter(({ address }) => !isPrivate(address));
    const [first] = open;
    if (first === undefined) return callback(new PrivateAddress(found[0]?.address ?? hostname), "");
    if (options.all) callback(null, open);
    else callback(null, first.address, first.family);
  });
};

/** IPv4: IANA's special-purpose registry, and multicast. */
const special = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const) {
  special.addSubnet(network, prefix, "ipv4");
}
/** IPv6: the one range of addresses on the internet, but for tunnels and documentation within it. */
const global = new BlockList();
global.addSubnet("2000::", 3, "ipv6");
for (const [network, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const) {
  special.addSubnet(network, prefix, "ipv6");
}

function isPrivate(address: string): boolean {
  if (isIP(address) === 4) return special.check(address, "ipv4");
  const [plain = ""] = address.split("%"); // a zone is of this machine
  return !global.check(plain, "ipv6") || special.check(plain, "ipv6");
}
