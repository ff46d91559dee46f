// The HTTP side: reads a call, lets it go wrong where it shall, answers it, and
// writes it into the trace. Knows no route's meaning.
import { createServer } from "node:http";

const traceLimit = 200_000;

/** @param {import("./index.mjs").Platform} platform */
export async function listen(platform, routes) {
  const sockets = new Set();
  const server = createServer({ keepAliveTimeout: 0, maxHeaderSize: 128 * 1024 }, (request, response) => {
    void serve(platform, routes, request, response).catch((error) => {
      platform.violations.push(`the emulator failed: ${error.stack}`);
      response.destroy();
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = server.address();
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(() => resolve(undefined)));
    },
  };
}

async function serve(platform, routes, request, response) {
  const at = performance.now();
  const body = await readBody(request);
  const found = routes.find(request.method, request.url) ?? { route: "none", parameters: {} };
  const { route, parameters, owner } = found;
  const call = {
    at,
    route,
    method: request.method,
    url: request.url,
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    body,
    parameters,
    owner,
    status: undefined,
    answeredAt: undefined,
  };
  if (platform.trace.length < traceLimit) platform.trace.push(call);
  platform.changed();
  const gone = new Promise((resolve) => response.on("close", () => resolve(undefined)));
  const trouble = platform.nextTrouble(route);
  const answer = await answerWith(platform, routes, call, trouble, { response, gone });
  call.answeredAt = performance.now();
  call.status = answer.drop ? "dropped" : answer.status;
  send(request, response, answer);
  platform.changed();
}

// A call that is lost on its way back has been looked at, one lost on its way has not.
async function answerWith(platform, routes, call, trouble, connection) {
  if (trouble?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, trouble.delayMs));
  if (trouble?.drop === "before") return { drop: true };
  const looks =
    trouble === undefined || trouble.drop === "after" || trouble.pass || trouble.truncate || trouble.lateMs;
  const onlyDelayed = trouble !== undefined && trouble.delayMs !== undefined && trouble.status === undefined;
  if (!looks && !onlyDelayed) {
    noteRefusal(platform, call, trouble);
    const { redirect, ...answer } = trouble;
    return { headers: redirect ? { Location: call.url } : {}, ...answer };
  }
  const answer = await routes.answer(call, connection);
  if (trouble?.lateMs !== undefined) await new Promise((resolve) => setTimeout(resolve, trouble.lateMs));
  if (trouble === undefined || (onlyDelayed && !looks)) return answer;
  const unread = trouble.drop === "after" || trouble.truncate || trouble.status !== undefined;
  const { workerId } = call.parameters;
  if (unread) for (const { id } of answer.jobs ?? []) platform.book.destroy(id, workerId, "take");
  if (trouble.drop === "after") return { drop: true };
  if (trouble.truncate) return { ...answer, truncate: true };
  return { ...answer, ...trouble };
}

// A worker does not send a result again that was refused; other troubles it has to bear.
function noteRefusal(platform, call, { status }) {
  const { jobId, workerId } = call.parameters;
  if (call.route === "job-done" && [400, 404, 409, 410, 413].includes(status))
    platform.book.destroy(jobId, workerId, "result");
}

function send(request, response, answer) {
  if (answer.sent) return;
  if (answer.drop) {
    request.socket.resetAndDestroy();
    return;
  }
  const { status = 200, headers = {}, body, truncate = false } = answer;
  const text =
    body === undefined ? "" : typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const type = text.length === 0 ? {} : { "Content-Type": "application/json" };
  response.writeHead(status, { ...type, "Content-Length": Buffer.byteLength(text), ...headers });
  if (!truncate) {
    response.end(text);
    return;
  }
  response.write(text.slice(0, Math.floor(text.length / 2)), () => request.socket.destroy());
}

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
