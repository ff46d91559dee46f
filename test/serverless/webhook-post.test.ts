// Where a webhook may be: which addresses are private, however they are spelled, and that a name
// is judged by what it stands for when it is called.
import dns from "node:dns/promises";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { hostname } from "node:os";
import { expect, it } from "vitest";
import { namesPrivate, postJson } from "../../src/serverless/webhook-post.js";

const hostOf = (host: string) => new URL(`http://${host}/`).hostname;
const timeoutMs = 10_000;

it.each([
  ..."localhost LOCALHOST. a.localhost 127.0.0.1 127.1 0x7f.1 2130706433 017700000001 0.0.0.0 0".split(" "),
  ..."10.1.2.3 100.64.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.168.0.1 192.0.0.1".split(" "),
  ..."192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255".split(" "),
  ..."[::1] [::] [fe80::1] [fd00::1] [fc00::1] [ff02::1] [::ffff:10.0.0.1] [::ffff:7f00:1]".split(" "),
  ..."[64:ff9b::7f00:1] [2002:7f00:1::] [2001:db8::1] [2001::1] [100::1]".split(" "),
])("%s is private", (host) => {
  expect(namesPrivate(hostOf(host))).toBe(true);
});

it.each(
  "1.1.1.1 172.15.0.1 172.32.0.1 100.128.0.1 11.0.0.1 223.255.255.255 [2606:4700::1111] example.com".split(
    " ",
  ),
)("%s is not", (host) => {
  expect(namesPrivate(hostOf(host))).toBe(false);
});

/** A name of this machine that is no address, and what it stands for. */
const name = await dns.lookup(hostname()).then(
  ({ address }) => (namesPrivate(hostname()) || !namesPrivate(address) ? undefined : hostname()),
  () => undefined,
);

it.skipIf(name === undefined)(
  `a name is judged by its address${name === undefined ? ": this machine's name has no private one" : ""}`,
  async () => {
    let calls = 0;
    const hook = createServer((_request, response) => {
      calls += 1;
      response.end();
    }).listen(0, "0.0.0.0");
    await once(hook, "listening");
    const url = `http://${name}:${(hook.address() as AddressInfo).port}/`;
    const refused = await postJson(url, "{}", { allowsPrivate: false, timeoutMs });
    expect(refused).toEqual({ type: "refused", reason: expect.stringContaining("is no public address") });
    expect(calls).toBe(0);
    expect(await postJson(url, "{}", { allowsPrivate: true, timeoutMs })).toEqual({ type: "ok" });
    expect(calls).toBe(1);
    hook.close();
  },
);

it("says who calls, which firewalls ask for", async () => {
  let agent: string | undefined;
  const hook = createServer(({ headers }, response) => {
    agent = headers["user-agent"];
    response.end();
  }).listen(0, "127.0.0.1");
  await once(hook, "listening");
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
  expect(await postJson(url, "{}", { allowsPrivate: true, timeoutMs })).toEqual({ type: "ok" });
  expect(agent).toMatch(/^infernode\/\d/);
  hook.close();
});

it("what answers nothing is given up after the time", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
  const posted = await postJson(url, "{}", { allowsPrivate: true, timeoutMs: 50 });
  expect(posted).toEqual({ type: "failed", reason: expect.stringContaining("abort") });
  silent.closeAllConnections();
  silent.close();
});

it.each(["http://a:%ff@127.0.0.1/", "http:// /", "no URL"])("%j fails and does not reject", async (url) => {
  const posted = await postJson(url, "{}", { allowsPrivate: true, timeoutMs });
  expect(posted).toEqual({ type: "failed", reason: expect.stringMatching(/URI malformed|Invalid URL/) });
});

it.each([
  ["101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x", "it answered 101"],
  [undefined, "socket hang up"],
])("what answers %j fails", async (answer, reason) => {
  const odd = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () =>
      answer === undefined ? socket.end() : socket.write(`HTTP/1.1 ${answer}\r\n\r\n`),
    );
  }).listen(0, "127.0.0.1");
  await once(odd, "listening");
  const url = `http://127.0.0.1:${(odd.address() as AddressInfo).port}/`;
  expect(await postJson(url, "{}", { allowsPrivate: true, timeoutMs })).toEqual({ type: "failed", reason });
  odd.close();
});
