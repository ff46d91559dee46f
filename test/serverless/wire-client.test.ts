// What becomes of an answer that is on its way when its caller leaves.
import { createServer, type Server, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { WireClient, type WireFailure } from "../../src/serverless/wire-client.js";

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n";
const body = '{"id":"x"}';

/** A client that is told to leave while its call is held. */
async function leave(onHangUp: (socket: Socket) => void): Promise<string | WireFailure> {
  const leaving = new AbortController();
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("data", () => leaving.abort());
    socket.on("end", () => onHangUp(socket));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as { port: number };
  const client = new WireClient();
  const said = await client
    .request({
      method: "GET",
      url: `http://127.0.0.1:${port}/job-take`,
      headers: {},
      timeoutMs: 20_000,
      signal: leaving.signal,
      abortGraceMs: 20,
    })
    .then(
      (response) => response.body,
      (failure: WireFailure) => failure,
    );
  client.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  return said;
}

describe("a call that is given up", () => {
  it("hears what was said before the other side heard of it", async () => {
    expect(await leave((socket) => socket.end(head + body))).toBe(body);
  });

  it("hears what came while its own process did not run, though its time is over too", async () => {
    const said = await leave((socket) => {
      const end = performance.now() + 600; // longer than it waits
      socket.end(head + body);
      setImmediate(() => {
        while (performance.now() < end);
      });
    });
    expect(said).toBe(body);
  });

  it("is over when the other side hangs up too", async () => {
    expect(await leave((socket) => socket.end())).toMatchObject({ kind: "aborted" });
  });

  it("is over after a while where the other side does not answer", async () => {
    expect(await leave(() => {})).toMatchObject({ kind: "aborted" });
  });

  it("hears an answer to its end that has begun", async () => {
    const text = leave((socket) => {
      socket.write(head);
      setTimeout(() => socket.end(body), 700); // longer than it waits for a beginning
    });
    expect(await text).toBe(body);
  });
});

it("an answer that switches protocols is no answer, and is not waited for", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as { port: number };
  const client = new WireClient();
  const url = `http://127.0.0.1:${port}/job-done`;
  const said = client.request({ method: "POST", url, headers: {}, body: "{}", timeoutMs: 90_000 });
  await expect(said).rejects.toMatchObject({ kind: "network", message: "status 101, another protocol" });
  client.close();
  await new Promise((resolve) => server.close(resolve));
});
