// `npm start [-- arguments]`: sets up what is missing, then shows what this is. Alone it writes a story
// and serves the model until Ctrl-C or SIGTERM; with arguments it is `infernode generate`, and ends.
// Where npm was killed the server ends too: nobody would know of it, and it would hold the output open.

import { once } from "node:events";
import { createServer } from "node:net";
import path from "node:path";
import { runForeground } from "./command.mjs";
import { runMain } from "./failure.mjs";
import { paths } from "./paths.mjs";
import { setUpProduct } from "./setup.mjs";

const kUsualPort = 8000;
const kLookEveryMs = 500; // for npm

await runMain(async () => {
  await setUpProduct();
  const given = process.argv.slice(2);
  // A machine that runs this may hold stdin open for ever: it is read where "-p -" asks for it.
  const stdin = given.includes("-") ? "inherit" : "ignore";
  const code = await infernode(["generate", "--echo", ...given], stdin);
  if (given.length > 0 || code !== 0 || !(await isHeard())) return code;
  process.stderr.write(
    'infernode: now serving until Ctrl-C or SIGTERM (npm start -- "a prompt" generates and ends) ...\n',
  );
  return infernode(["serve", ...(await portFlags())], "ignore", npmGone());
});

function infernode(args, stdin, until) {
  const program = path.join(paths.dist, "cli/main.js");
  const env = { ...process.env, GGML_NO_BACKTRACE: "1" };
  return runForeground(process.execPath, [program, ...args], { env, stdin, until });
}

// Whether somebody still reads the output: `npm start | head` has what it wanted, and
// nobody would be told of a server.
function isHeard() {
  return new Promise((resolve) => {
    process.stdout.once("error", () => resolve(false));
    process.stdout.write("\n", (error) => resolve(!error));
  });
}

// Aborts when npm, which started this process, is no longer its parent.
function npmGone() {
  const gone = new AbortController();
  const npm = process.ppid;
  const look = () => process.ppid !== npm && gone.abort();
  if (process.env.npm_lifecycle_event === "start") setInterval(look, kLookEveryMs).unref();
  return gone.signal;
}

// PORT, or the usual port, or any where an earlier start has that one.
async function portFlags() {
  if (process.env.PORT || (await isFree(kUsualPort))) return [];
  return ["--port", "0"];
}

async function isFree(port) {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
