// `infernode serve --data` is killed under load and started again, over and over: each job that was
// accepted ends, an end that was seen stays as it was, and a job that was begun twice says so.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";

const command = join(import.meta.dirname, "../../dist/cli/main.js");
const handler = join(import.meta.dirname, "kill-handler.mjs");
const ended = new Set(["COMPLETED", "FAILED"]);
/** A job that was running at each of three kills is not begun again (decision 0069). */
const mostDeaths = 3;
const givenUp = `the server's process ended ${mostDeaths} times while it ran this job`;

/** @param {import("./kill-soak.d.mts").KillSoakOptions} options */
export async function soakKills(options) {
  const soak = new KillSoak(options);
  try {
    return await soak.run();
  } finally {
    await soak.end();
  }
}

class KillSoak {
  #options;
  #state;
  #folder = mkdtempSync(join(tmpdir(), "infernode-kills-"));
  #begun = join(this.#folder, "begun");
  #hook;
  #told = new Map();
  #child;
  #url = "";
  #next = 0;
  /** What was asked for, by the id of the job that was accepted. */
  #accepted = new Map();
  /** What /status said of a job's end. */
  #seen = new Map();
  #seenAgain = 0;
  #wrong = [];

  constructor(options) {
    this.#options = { clients: 12, ...options };
    this.#state = options.seed;
    writeFileSync(this.#begun, "");
  }

  async run() {
    await this.#listen();
    const { rounds, accepted } = this.#options;
    for (let round = 0; round < rounds; round += 1) {
      await this.#start();
      await this.#checkSeen();
      const [least, most] = accepted;
      const goal = this.#accepted.size + least + Math.floor(this.#random() * (most - least + 1));
      const kill = new AbortController();
      const clients = Array.from({ length: this.#options.clients }, () => this.#client(goal, kill));
      await once(kill.signal, "abort"); // the other clients' requests are under way
      this.#child.kill("SIGKILL");
      await Promise.all([once(this.#child, "close"), ...clients]);
    }
    await this.#start();
    await this.#checkSeen();
    const reruns = await this.#checkEnds();
    return { ...this.#figures(), reruns, rounds, wrong: this.#wrong };
  }

  async end() {
    this.#child?.kill("SIGKILL");
    this.#hook?.close();
    this.#hook?.closeAllConnections();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #figures() {
    const owed = [...this.#accepted.values()].filter(({ webhook }) => webhook !== undefined).length;
    const told = [...this.#told.values()].reduce((sum, count) => sum + count, 0);
    return { accepted: this.#accepted.size, seenAgain: this.#seenAgain, webhooks: { owed, told } };
  }

  /** Mulberry32: the same seed gives the same jobs. */
  #random() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  async #listen() {
    this.#hook = http.createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const { id } = JSON.parse(Buffer.concat(chunks).toString());
      this.#told.set(id, (this.#told.get(id) ?? 0) + 1);
      response.end();
    });
    this.#hook.listen(0, "127.0.0.1");
    await once(this.#hook, "listening");
  }

  async #start() {
    const flags = ["--data", join(this.#folder, "data"), "--allow-private-webhooks", "--port", "0"];
    this.#child = spawn(process.execPath, [command, "serve", handler, ...flags], {
      env: { PATH: process.env.PATH, BEGUN: this.#begun },
    });
    let said = "";
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.on("data", (chunk) => {
        if (!said.includes("Serving on")) said += chunk;
      });
    while (!said.includes("Serving on")) {
      if (this.#child.exitCode !== null) throw new Error(`the server ended: ${said}`);
      await Promise.race([once(this.#child.stdout, "data"), once(this.#child, "close")]);
    }
    this.#url = `${/Serving on (\S+)/.exec(said)[1]}/v2/kills`;
  }

  /** A job of any kind; one in ten is of 200 kB. */
  #input() {
    this.#next += 1;
    const kind = this.#random();
    const ms = Math.floor(this.#random() * 15) + (this.#random() < 0.1 ? 200 : 0);
    const pad = this.#random() < 0.1 ? "a".repeat(200_000) : "";
    if (kind < 0.2) return { type: "stream", count: 1 + Math.floor(this.#random() * 10), pad };
    return { type: kind < 0.3 ? "fail" : "plain", number: this.#next, ms, pad };
  }

  /** Sends jobs, and asks for some of them, until so many were accepted; then the server is to be killed. */
  async #client(goal, kill) {
    try {
      while (!kill.signal.aborted) {
        await this.#sendAndAsk();
        if (this.#accepted.size >= goal) kill.abort();
      }
    } catch (thrown) {
      if (!kill.signal.aborted) throw thrown; // its answer died with the server
    }
  }

  async #sendAndAsk() {
    const input = this.#input();
    const webhook = this.#random() < 0.2 ? `http://127.0.0.1:${this.#hook.address().port}/` : undefined;
    const { id } = await this.#call("run", "POST", { input, webhook });
    this.#accepted.set(id, { ...input, pad: undefined, webhook });
    const ids = [...this.#accepted.keys()];
    const asked = ids[Math.floor(this.#random() * ids.length)];
    const said = await this.#call(`status/${asked}`);
    if (ended.has(said.status)) this.#seen.set(asked, said);
  }

  async #call(path, method = "GET", body = undefined) {
    const response = await fetch(`${this.#url}/${path}`, { method, body: body && JSON.stringify(body) });
    const json = await response.json();
    if (response.status !== 200) this.#wrong.push(`${path}: ${response.status} ${JSON.stringify(json)}`);
    return json;
  }

  /** What was seen before the kill is as it was. */
  async #checkSeen() {
    const left = this.#seen.entries();
    const ask = () => this.#askAgain(left);
    await Promise.all(Array.from({ length: this.#options.clients }, ask));
  }

  async #askAgain(seenJobs) {
    for (const [id, seen] of seenJobs) {
      const now = await this.#call(`status/${id}`);
      this.#seenAgain += 1;
      if (
        JSON.stringify([now.status, now.output, now.error]) !==
        JSON.stringify([seen.status, seen.output, seen.error])
      )
        this.#wrong.push(`job ${id} was ${JSON.stringify(seen)} and is ${JSON.stringify(now)}`);
    }
  }

  async #checkEnds() {
    const begun = this.#timesBegun();
    let reruns = 0;
    for (const [id, asked] of this.#accepted) {
      let said = await this.#call(`status/${id}`);
      while (said.status === "IN_QUEUE" || said.status === "IN_PROGRESS")
        said = await this.#call(`status-sync/${id}`);
      if (said.retries > 0) reruns += 1;
      this.#checkEnd(id, asked, said, begun.get(id));
      if (asked.webhook !== undefined) while (!this.#told.has(id)) await turn();
    }
    for (const [id, times] of this.#timesBegun()) {
      const { retries = 0 } = await this.#call(`status/${id}`);
      if (this.#accepted.has(id) && times > retries + 1)
        this.#wrong.push(`job ${id} was begun ${times} times and shows ${retries} retries`);
    }
    return reruns;
  }

  /** How often the handler began each job, by id. */
  #timesBegun() {
    const begun = new Map();
    for (const id of readFileSync(this.#begun, "utf8").split("\n"))
      if (id !== "") begun.set(id, (begun.get(id) ?? 0) + 1);
    return begun;
  }

  #checkEnd(id, { type, number, count }, { status, output, error }, timesBegun) {
    if (status === "FAILED" && error?.includes(givenUp)) {
      if (timesBegun < mostDeaths) this.#wrong.push(`job ${id} was given up after ${timesBegun} starts`);
      return;
    }
    const expected = type === "fail" ? "FAILED" : "COMPLETED";
    if (status !== expected) return this.#wrong.push(`job ${id} of type ${type} is ${status}`);
    if (type === "plain" && output.number !== number) this.#wrong.push(`job ${id} has another's output`);
    if (type !== "stream") return;
    const runs = new Set(output.map((item) => item.split(" ")[0]));
    if (runs.size !== 1 || output.length !== count)
      this.#wrong.push(
        `job ${id} has ${output.length} items of ${runs.size} runs in place of ${count} of one`,
      );
  }
}
