// Pulls over HTTPS by processes of their own: straight and through a proxy that speaks CONNECT,
// with an authority of the test's own, and what is said of certificates that are not to be
// trusted. The certificates are made by openssl; both ends are on this machine.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { certificate } from "../../helpers/certificates.js";
import { bytesOf, folder, hubOf, wrongFiles } from "./hub-fixture.js";

const program = resolve(import.meta.dirname, "../../../dist/cli/main.js");
const repository = "owner/name";
const weights = bytesOf(300_000);
const files = { "model-Q8_0.gguf": weights, "config.json": "{}\n" };
const timeout = 60_000;
const token = "hf_secret_of_the_test";

let certificates: string;
let isMade = false;

beforeAll(() => {
  certificates = mkdtempSync(join(tmpdir(), "infernode-tls-"));
  try {
    certificate(certificates, "good", "IP:127.0.0.1", "20200101000000Z", "20490101000000Z");
    certificate(certificates, "expired", "IP:127.0.0.1", "20200101000000Z", "20200201000000Z");
    certificate(certificates, "other", "DNS:hub.example", "20200101000000Z", "20490101000000Z");
    isMade = true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown;
  }
});
afterAll(() => rmSync(certificates, { recursive: true }));

const closing: Server[] = [];
afterEach(() => {
  for (const server of closing.splice(0)) server.close();
});

async function portOf(server: Server): Promise<number> {
  closing.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** HTTPS in front of a server without it. @returns its origin */
async function encrypted(origin: string, name: string): Promise<string> {
  const pem = (ending: string) => readFileSync(join(certificates, `${name}.${ending}`));
  const server = createTlsServer({ key: pem("key"), cert: pem("pem") }, (socket) => {
    const onward = connect(Number(new URL(origin).port), "127.0.0.1");
    socket.pipe(onward).pipe(socket);
    for (const side of [socket, onward])
      side.on("error", () => [socket, onward].map((each) => each.destroy()));
  });
  server.on("tlsClientError", () => {});
  return `https://127.0.0.1:${await portOf(server)}`;
}

/** A hub whose two origins are reached by HTTPS. */
async function secureHub(name: string) {
  const hub = await hubOf({ [repository]: { files } });
  const endpoint = await encrypted(hub.endpoint, name);
  hub.state.storeUrl = await encrypted(hub.store, name);
  return { hub, endpoint };
}

/** A proxy that notes what it is asked to connect to, and every byte that it can read. */
async function connectProxy(status = 200) {
  const targets: string[] = [];
  const server = createHttpServer((_, answer) => answer.writeHead(400).end());
  server.on("connect", (request, socket, head) => {
    targets.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`);
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const [, port = "0"] = (request.url ?? "").split(":");
    const onward = connect(Number(port), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    for (const side of [socket, onward])
      side.on("error", () => [socket, onward].map((each) => each.destroy()));
  });
  return { url: `http://127.0.0.1:${await portOf(server)}`, targets };
}

async function pull(endpoint: string, cache: string, more: Readonly<Record<string, string>> = {}) {
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: cache,
    HF_ENDPOINT: endpoint,
    HF_HUB_CACHE: cache,
    HF_TOKEN: token,
    ...more,
  };
  const child = spawn(process.execPath, [program, "pull", `hf:${repository}`], { env });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const [code] = await once(child, "close");
  return { code: code as number, path: stdout.trim(), stderr };
}

const trusting = () => ({ NODE_EXTRA_CA_CERTS: join(certificates, "good.pem") });

beforeEach(({ skip }) => {
  if (!isMade) skip("needs openssl, which makes the certificates");
});

describe("a pull over HTTPS", { timeout }, () => {
  it("is complete with the authority that NODE_EXTRA_CA_CERTS names", async () => {
    const { endpoint } = await secureHub("good");
    const cache = await folder();
    const { code, path, stderr } = await pull(endpoint, cache, trusting());
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect((await readFile(path)).equals(weights)).toBe(true);
    expect(await wrongFiles(cache)).toEqual([]);
  });

  it("goes through a proxy by CONNECT, which sees no token, and around it for NO_PROXY", async () => {
    const { hub, endpoint } = await secureHub("good");
    const { url: proxy, targets } = await connectProxy();
    const through = await pull(endpoint, await folder(), { ...trusting(), HTTPS_PROXY: proxy });
    expect([through.code, through.stderr]).toEqual([0, expect.any(String)]);
    expect((await readFile(through.path)).equals(weights)).toBe(true);
    const ports = new Set([endpoint, hub.state.storeUrl].map((origin) => new URL(origin).host));
    expect(new Set(targets.map((target) => target.split(" ")[1]))).toEqual(ports);
    expect(targets.join("\n")).not.toContain(token);
    const count = targets.length;
    const around = { ...trusting(), https_proxy: proxy, no_proxy: "127.0.0.1" };
    expect(await pull(endpoint, await folder(), around)).toMatchObject({ code: 0 });
    expect(targets).toHaveLength(count);
  });

  it("says that a proxy asks for a password", async () => {
    const { endpoint } = await secureHub("good");
    const { url: proxy } = await connectProxy(407);
    const { code, stderr } = await pull(endpoint, await folder(), { ...trusting(), HTTPS_PROXY: proxy });
    expect(code).toBe(1);
    expect(stderr).toContain("the proxy asks for a user name and a password");
  });
});

describe("a pull over HTTPS that cannot be", { timeout }, () => {
  it.each([
    ["good", {}, "(DEPTH_ZERO_SELF_SIGNED_CERT); a company's own authority is named by NODE_EXTRA_CA_CERTS"],
    [
      "expired",
      { NODE_EXTRA_CA_CERTS: "expired.pem" },
      "(CERT_HAS_EXPIRED); check this machine's clock, or have the certificate renewed",
    ],
    [
      "other",
      { NODE_EXTRA_CA_CERTS: "other.pem" },
      "(ERR_TLS_CERT_ALTNAME_INVALID); it is for another host: check the address",
    ],
  ])(
    "trusts the certificate %s with %j not at all: one sentence, no second attempt",
    async (name, variables, reason) => {
      const { hub, endpoint } = await secureHub(name);
      const cache = await folder();
      const trusted = Object.entries(variables).map(([key, file]) => [key, join(certificates, file)]);
      for (const proxy of [undefined, await connectProxy()]) {
        const way = proxy === undefined ? {} : { HTTPS_PROXY: proxy.url };
        const pulled = await pull(endpoint, cache, { ...Object.fromEntries(trusted), ...way });
        expect(pulled).toMatchObject({ code: 1, path: "" });
        expect(pulled.stderr).toContain(
          `the certificate of ${new URL(endpoint).host} is not trusted ${reason}`,
        );
        expect(pulled.stderr).not.toContain("trying again");
      }
      expect(hub.requests).toEqual([]);
    },
  );

  it("says that a server speaks no TLS", async () => {
    const host = `127.0.0.1:${await portOf(createHttpServer())}`;
    const { code, stderr } = await pull(`https://${host}`, await folder());
    expect(code).toBe(1);
    expect(stderr).toContain(`${host} answers without TLS`);
    expect(stderr).not.toContain("trying again");
  });
});

describe("a connection that breaks before TLS is there", { timeout }, () => {
  it("is tried again", async () => {
    const { hub, endpoint } = await secureHub("good");
    let broken = 0;
    const gate = createTcpServer((socket) => {
      if (broken < 2) {
        broken += 1;
        socket.destroy();
        return;
      }
      const onward = connect(Number(new URL(endpoint).port), "127.0.0.1");
      socket.pipe(onward).pipe(socket);
      for (const side of [socket, onward])
        side.on("error", () => [socket, onward].map((each) => each.destroy()));
    });
    const gated = `https://127.0.0.1:${await portOf(gate)}`;
    const { code, stderr } = await pull(gated, await folder(), trusting());
    expect([code, broken]).toEqual([0, 2]);
    expect(stderr).toMatch(/the connection to 127\.0\.0\.1:\d+ failed \(\w+\); trying again/);
    expect(hub.requests.length).toBeGreaterThan(0);
  });
});
