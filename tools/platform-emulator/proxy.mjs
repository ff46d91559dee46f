// A proxy before the platform that takes no body above its limit, as nginx and the
// like do: it breaks the connection while the body still comes, says 413 at once and
// hangs up, or reads all and says 413. Everything else is passed on.
import { createServer, request as forward } from "node:http";

/**
 * @param {string} target URL of the platform
 * @param {object} options
 * @param {number} options.limitBytes of a request's body
 * @param {readonly ("reset" | "early" | "late")[]} options.manners for one body after the other; the last one stays
 * @returns {Promise<{ url: string, refused: readonly string[], close(): Promise<void> }>}
 */
export async function createProxy(target, { limitBytes, manners }) {
  const refused = [];
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    if (Number(request.headers["content-length"] ?? 0) <= limitBytes) return pass(target, request, response);
    const manner = manners[Math.min(refused.length, manners.length - 1)];
    refused.push(manner);
    refuse(manner, request, response);
  });
  const sockets = new Set();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    refused,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(() => resolve(undefined)));
    },
  };
}

function pass(target, request, response) {
  const { method, url, rawHeaders } = request;
  const onward = forward(new URL(url, target), { method, headers: rawHeaders }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => request.socket.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}

function refuse(manner, request, response) {
  const sayTooLarge = () => {
    const text = "<html>413 Request Entity Too Large</html>";
    response.writeHead(413, {
      "Content-Type": "text/html",
      "Content-Length": text.length,
      Connection: "close",
    });
    response.end(text);
  };
  if (manner === "reset") request.once("data", () => request.socket.resetAndDestroy());
  else if (manner === "early") {
    response.on("finish", () => request.socket.destroy());
    sayTooLarge();
  } else {
    request.on("end", sayTooLarge);
    request.resume();
  }
}
