// What the page sends and does with the answers, in Chromium: streams, stopping, errors, keys, code
// that runs, and text that looks like a program.
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import type { Served } from "../../src/endpoint/served.js";
import { textGenerationServed } from "../../src/endpoint/text-generation.js";
import { describeInBrowser, type WithPage } from "../helpers/browser.js";
import { templateText } from "../helpers/templates.js";
import { portOf, startServer, until, withServer } from "../http/scene.js";
import { gate } from "../serverless/harness.js";
import { ended, opened } from "./playground-page.js";

const run = promisify(execFile);
const python = process.env.INFERNODE_TEST_PYTHON ?? "python3";
const lacksOpenai = spawnSync(python, ["-c", "import openai"]).status !== 0;
const missing = lacksOpenai
  ? `: no openai package for ${python}; pip install openai, or set INFERNODE_TEST_PYTHON`
  : "";
const desk = { viewport: { width: 1280, height: 800 } };
const figures =
  /^\d+ tokens\u00a0· [\d,.]+ tokens\/s\u00a0· first token after [\d.]+ m?s\u00a0· \d+ prompt tokens, \d+ cached$/;

async function ask(page: Page, text: string): Promise<void> {
  await page.locator("#prompt").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** Adds fields to the requests that the page sends. */
async function adding(page: Page, fields: object): Promise<void> {
  await page.route(/\/v1\/(?:chat\/)?completions$/, (route) =>
    route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), ...fields }) }),
  );
}

/** A model that takes its time: 60,000 tokens of any text. */
const endless = {
  MODEL_NAME: "synthetic:llama?layers=2&dim=128&context=65536",
  MAX_MODEL_LEN: "65536",
  MAX_NUM_SEQS: "1",
};

describeInBrowser("the page", (withPage) => {
  it("streams a conversation with its system prompt and parameters, and tells its figures", async () => {
    await withServer({}, async ({ url }) => {
      await withPage(url, desk, async (page, { requests, complaints }) => {
        await opened(page);
        const bodies: object[] = [];
        page.on("request", (request) => {
          if (request.method() === "POST") bodies.push(request.postDataJSON());
        });
        await page.getByLabel("System prompt").fill("Be brief.");
        await page.getByLabel("Temperature").fill("0");
        await page.getByLabel("Seed").fill("7");
        await page.getByText("More", { exact: true }).click();
        await page.getByLabel("Stop strings").fill("wolf\nbear");
        await ask(page, "Who are you?");
        await ended(page);
        const answer = await page.locator(".answer").textContent();
        expect(await page.locator(".figures").textContent()).toMatch(figures);
        await page.getByLabel("Max tokens").fill("2");
        await ask(page, "And what do cows eat?");
        await ended(page);
        expect(await page.locator(".figures").last().textContent()).toMatch(
          /[1-9]\d* cached\u00a0· cut off at max tokens$/,
        );
        const common = { model: "tinytale", temperature: 0, seed: 7, stop: ["wolf", "bear"] };
        const streaming = { stream: true, stream_options: { include_usage: true } };
        const system = { role: "system", content: "Be brief." };
        const first = { role: "user", content: "Who are you?" };
        const second = { role: "user", content: "And what do cows eat?" };
        expect(bodies).toEqual([
          { ...common, ...streaming, max_tokens: 1024, messages: [system, first] },
          {
            ...common,
            ...streaming,
            max_tokens: 2,
            messages: [system, first, { role: "assistant", content: answer }, second],
          },
        ]);
        await page.getByRole("button", { name: "New" }).click();
        expect(await page.locator(".turn").count()).toBe(0);
        expect(requests.filter((each) => !each.startsWith(`${url}/`))).toEqual([]);
        expect(complaints).toEqual([]);
      });
    });
  });

  it("continues a text, and shows thoughts apart from an answer", async () => {
    const environment = { CHAT_TEMPLATE: templateText("Qwen-QwQ-32B") };
    await withServer({ environment }, async ({ url }) => {
      await withPage(url, desk, async (page) => {
        await opened(page);
        await page.getByLabel("Max tokens").fill("20");
        await ask(page, "Who are you?");
        await ended(page);
        await page.getByText("Thoughts").click();
        expect(await page.locator(".thoughts .text").innerText()).not.toBe("");
        await page.getByRole("radio", { name: "Completion" }).check();
        await ask(page, "Once upon a time");
        await ended(page);
        expect(await page.locator(".turn").count()).toBe(1);
        expect(await page.locator(".answer").textContent()).toMatch(/^Once upon a time,? ./);
        await page.getByRole("radio", { name: "Chat" }).check();
        await page.locator(".asked").filter({ hasText: "Who are you?" }).waitFor();
      });
    });
  });

  it.each(["Escape", "the button"])(
    "stops an answer by %s, and the server stops computing it",
    async (by) => {
      await withServer({ environment: endless }, async ({ url, served }) => {
        await withPage(url, desk, async (page) => {
          await opened(page);
          await adding(page, { max_tokens: 60_000, ignore_eos: true });
          await page.getByRole("radio", { name: "Completion" }).check();
          await ask(page, "Once");
          await page.locator(".answer").filter({ hasText: /.{20}/ }).waitFor();
          if (by === "Escape") await page.keyboard.press("Escape");
          else await page.getByRole("button", { name: "Stop" }).click();
          await ended(page);
          expect(await page.locator(".figures").textContent()).toMatch(/^stopped\u00a0· first token after/);
          await until(() => served.text?.stats().cancelled === 1);
          await until(() => served.text?.stats().running === 0);
        });
      });
    },
  );

  it("shows an answer that is markup as text, whatever it would do", async () => {
    const answer = `<img src=x onerror="alert(1)"><script>alert(2)</script><a href="javascript:alert(3)">**b**</a>`;
    await withServer({}, async ({ url }) => {
      await withPage(url, desk, async (page, { requests, complaints }) => {
        await opened(page);
        await adding(page, { structured_outputs: { choice: [answer] } });
        for (const kind of ["Chat", "Completion"]) {
          await page.getByRole("radio", { name: kind }).check();
          await ask(page, answer);
          await ended(page);
          const shown = kind === "Chat" ? answer : `${answer}${answer}`;
          expect(await page.locator(".answer").textContent()).toBe(shown);
          expect(await page.locator("#transcript :is(img, script, a)").count()).toBe(0);
        }
        await page.getByRole("button", { name: "Code" }).click();
        expect(await page.locator("#sample :is(img, script, a)").count()).toBe(0);
        await expect(page.evaluate("document.body.innerHTML = '<img src=x>'")).rejects.toThrow("TrustedHTML");
        expect(requests.filter((each) => each.endsWith("/x"))).toEqual([]);
        expect(complaints).toEqual([expect.stringContaining("TrustedHTML")]);
      });
    });
  });

  it("tells what the server refuses, does not send what is no number, and tries again", async () => {
    await withServer({}, async ({ url }) => {
      await withPage(url, desk, async (page) => {
        await opened(page);
        await page.getByLabel("Temperature").fill("-1");
        await ask(page, "Who are you?");
        expect(await page.locator(".turn").count()).toBe(0);
        expect(await page.evaluate("document.activeElement.name")).toBe("temperature");
        expect(await page.locator("#prompt").inputValue()).toBe("Who are you?");
        await page.getByLabel("Temperature").fill("1000");
        await page.getByRole("button", { name: "Send" }).click();
        await page.getByRole("alert").filter({ hasText: "temperature must be" }).waitFor();
        await page.getByLabel("Temperature").fill("");
        await page.getByRole("button", { name: "Try again" }).click();
        await ended(page);
        expect(await page.locator(".figures").textContent()).toMatch(figures);
        expect(await page.locator(".turn").count()).toBe(1);
      });
    });
  });

  it("says that a model is loading, that a server leaves midway, and that none is there", async () => {
    const loading = gate<void>();
    const real = textGenerationServed(endless, () => {});
    const prepare: Served["options"]["prepare"] = async (...given) => {
      await loading.opened;
      await real.options.prepare?.(...given);
    };
    const started = startServer({ served: { ...real, options: { ...real.options, prepare } } });
    const url = `http://127.0.0.1:${await portOf(started)}`;
    await withPage(url, desk, async (page) => {
      await page.getByText("loading the model").waitFor();
      loading.open();
      await opened(page);
      await adding(page, { max_tokens: 60_000, ignore_eos: true });
      await page.getByRole("radio", { name: "Completion" }).check();
      await ask(page, "Once");
      await page.locator(".answer").filter({ hasText: /.{20}/ }).waitFor();
      started.signal("SIGTERM");
      started.signal("SIGTERM");
      await page.getByRole("alert").filter({ hasText: "the server is shutting down" }).waitFor();
      await started.ended;
      await page.getByText("not reachable").waitFor();
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("alert").filter({ hasText: "The server cannot be reached" }).waitFor();
    });
  });

  it("asks for a key, refuses a wrong one, and puts it into headers alone", async () => {
    await withServer({ options: { keys: ["secret-key"] } }, async ({ url }) => {
      await withPage(url, desk, async (page, { requests }) => {
        const give = async (key: string) => {
          await page.getByLabel("API key", { exact: true }).fill(key);
          await page.keyboard.press("Enter");
        };
        await give("wrong");
        await page.getByRole("alert").filter({ hasText: "does not know the key" }).waitFor();
        await give("secret-key");
        await opened(page);
        await ask(page, "Who are you?");
        await ended(page);
        expect(await page.locator(".figures").textContent()).toMatch(figures);
        await page.getByRole("button", { name: "Code" }).click();
        for (const tab of await page.getByRole("tab").all()) {
          await tab.click();
          expect(await page.locator("#sample").innerText()).toContain("INFERNODE_API_KEY");
        }
        expect(await page.content()).not.toContain("secret-key");
        expect(requests.filter((each) => each.includes("secret"))).toEqual([]);
        await page.reload(); // the tab keeps it
        await opened(page);
      });
    });
  });

  it.each(["Chat", "Completion"])("copies code of a %s that runs: curl and JavaScript", async (kind) => {
    await copyingCode(withPage, kind, async (copied, { env, finished }) => {
      const { stdout: events } = await run("sh", ["-c", await copied("curl")], { env });
      expect(events).toMatch(/^data: .*"usage":\{.*data: \[DONE\]\s*$/s);
      const script = ["--input-type=module", "--eval", await copied("JavaScript")];
      await run(process.execPath, script, { env });
      expect(finished()).toBe(2);
    });
  });

  it.skipIf(lacksOpenai).each(["Chat", "Completion"])(
    `copies code of a %s that runs: Python${missing}`,
    async (kind) => {
      await copyingCode(withPage, kind, async (copied, { env, finished }) => {
        await run(python, ["-c", await copied("Python")], { env });
        expect(finished()).toBe(1);
      });
    },
  );
});

/** The server of the code, and what runs it. */
interface CodeScene {
  readonly env: NodeJS.ProcessEnv;
  /** Requests that the server has finished since the page opened. */
  readonly finished: () => number;
}

/** Runs the work with what the page copies of a request full of quotes, by language. */
async function copyingCode(
  withPage: WithPage,
  kind: string,
  work: (copied: (language: string) => Promise<string>, scene: CodeScene) => Promise<void>,
): Promise<void> {
  const settings = { "Top k": "5", "Max tokens": "9", "Stop strings": "x'\"\\y\n$HOME `id`" };
  const options = { ...desk, permissions: ["clipboard-read", "clipboard-write"] };
  await withServer({ options: { keys: ["secret-key"] } }, async ({ url, served }) => {
    await withPage(url, options, async (page) => {
      await page.getByLabel("API key", { exact: true }).fill("secret-key");
      await page.keyboard.press("Enter");
      await opened(page);
      await page.getByRole("radio", { name: kind }).check();
      await page.getByText("More", { exact: true }).click();
      for (const [label, value] of Object.entries(settings)) await page.getByLabel(label).fill(value);
      await page.locator("#prompt").fill(`It's "5" \\ $HOME \u2028 — ü 🦊`);
      await page.getByRole("button", { name: "Code" }).click();
      const copied = async (language: string) => {
        await page.getByRole("tab", { name: language }).click();
        const shown = await page.locator("#sample").textContent();
        await page.locator("#copy-code").click();
        const clipboard = () => page.evaluate<string>("navigator.clipboard.readText()");
        await expect.poll(clipboard, { timeout: 60_000 }).toBe(shown);
        return shown ?? "";
      };
      const env = { ...process.env, INFERNODE_API_KEY: "secret-key" };
      const all = () => served.text?.stats().finished ?? 0;
      const before = all(); // the server's own, by which it warms up
      await work(copied, { env, finished: () => all() - before });
    });
  });
}
