// OpenAI's API on servers of the frameworks that people use, mounted as the guide does it, each
// behind the host's own check of a key.
import http from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
// @ts-expect-error: Express brings no types
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import type { OpenaiApi } from "../../src/mount/openai-api.js";

export interface Mounted {
  /** Where /v1 is. */
  readonly url: string;
  close(): Promise<void>;
}

export const key = "key-of-the-host";
const authorization = `Bearer ${key}`;

/** Mounts the API below `prefix`, such as "/v1". */
type Mount = (openai: OpenaiApi, prefix: string) => Promise<Mounted>;

async function fastify(openai: OpenaiApi, prefix: string): Promise<Mounted> {
  const app = Fastify({ forceCloseConnections: true });
  app.addHook("onRequest", async (request, reply) => {
    if (request.headers.authorization !== authorization) return reply.code(401).send({ from: "the host" });
  });
  app.all(`${prefix}/*`, async ({ url, method, body }, reply) => {
    const answer = await openai.answer({ path: url, method, body, response: reply.raw });
    return reply.code(answer.status).headers(answer.headers).send(answer.body);
  });
  const url = await app.listen({ port: 0 });
  return { url: `${url}${prefix}`, close: () => app.close() };
}

const expressWith =
  (parsesFirst: boolean, cutsOff: boolean): Mount =>
  async (openai, prefix) => {
    const app = express();
    // biome-ignore lint/suspicious/noExplicitAny: Express brings no types
    app.use((request: any, response: any, next: () => void) =>
      request.headers.authorization === authorization
        ? next()
        : response.status(401).json({ from: "the host" }),
    );
    if (parsesFirst) app.use(express.json());
    if (cutsOff) app.use(prefix, openai.listener);
    else app.all(`${prefix}/{*path}`, openai.listener);
    return listening(http.createServer(app), prefix);
  };

async function hono(openai: OpenaiApi, prefix: string): Promise<Mounted> {
  const app = new Hono();
  app.use(async ({ req, json }, next) =>
    req.header("authorization") === authorization ? next() : json({ from: "the host" }, 401),
  );
  app.all(`${prefix}/*`, ({ req }) => openai.fetch(req.raw));
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0 }, ({ port }) =>
      resolve({ url: `http://127.0.0.1:${port}${prefix}`, close: () => closed(server as http.Server) }),
    );
  });
}

async function node(openai: OpenaiApi, prefix: string): Promise<Mounted> {
  const server = http.createServer((request, response) => {
    if (request.headers.authorization === authorization) void openai.listener(request, response);
    else response.writeHead(401, { "Content-Type": "application/json" }).end('{"from":"the host"}');
  });
  return listening(server, prefix);
}

async function listening(server: http.Server, prefix: string): Promise<Mounted> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}${prefix}`, close: () => closed(server) };
}

async function closed(server: http.Server): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await done;
}

export const frameworks: Readonly<Record<string, Mount>> = {
  Fastify: fastify,
  Express: expressWith(false, false),
  "Express, whose json() has read the body": expressWith(true, false),
  "Express, which cuts the path off": expressWith(true, true),
  hono,
  "node:http": node,
};
