// Five hundred streams at once, half of whose clients leave midway: those that stay get whole
// answers, and what the others held comes back.
import http from "node:http";
import { expect, it } from "vitest";
import { json, until, withServer } from "./scene.js";

const streams = 500;

/** A streamed completion's text; with `leaves`, the client is gone after its first event. */
function stream(port: number, index: number, leaves: boolean): Promise<string> {
  const body = JSON.stringify({
    prompt: `Once upon a time, number ${index},`,
    max_tokens: leaves ? 400 : 8,
    ignore_eos: true,
    stream: true,
  });
  return new Promise((resolve, reject) => {
    const options = { port, host: "127.0.0.1", path: "/v1/completions", method: "POST", agent: false };
    const outgoing = http.request({ ...options, headers: json }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("error", (error) => (leaves ? resolve(text) : reject(error)));
      response.on("end", () => resolve(text));
      response.on("data", (part: string) => {
        text += part;
        if (leaves && text.includes("data: ")) outgoing.destroy();
      });
    });
    outgoing.on("error", (error) => (leaves ? resolve("") : reject(error))).end(body);
  });
}

it("500 streams, half of whose clients leave midway, end whole or give back what they held", async () => {
  const environment = { MAX_NUM_SEQS: "32" };
  await withServer({ environment, options: { maxQueue: streams + 10 } }, async ({ port, served }) => {
    const figures = () => served.text?.stats();
    const ended = () => (figures()?.finished ?? 0) + (figures()?.cancelled ?? 0);
    const before = ended(); // what warmed the engine up
    for (const wave of [1, 2]) {
      const texts = await Promise.all(
        Array.from({ length: streams }, (_, index) => stream(port, index, index % 2 === 1)),
      );
      const stayed = texts.filter((_, index) => index % 2 === 0);
      const events = (text: string) => text.split("\n").filter((line) => line.startsWith("data: {"));
      const reasons = stayed.map(
        (text) => JSON.parse(events(text).at(-1)?.slice(6) ?? "{}").choices[0].finish_reason,
      );
      expect(reasons).toEqual(Array(streams / 2).fill("length"));
      expect(stayed.every((text) => text.endsWith("data: [DONE]\n\n"))).toBe(true);
      await until(() => ended() === before + wave * streams);
      await until(() => figures()?.running === 0 && figures()?.waiting === 0);
      expect([figures()?.failed, figures()?.refused]).toEqual([0, 0]);
      // A client that is slow to leave may find its answer whole.
      expect(figures()?.cancelled).toBeGreaterThan((wave * streams) / 4);
    }
  });
});
