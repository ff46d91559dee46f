// The page to try a server: chat or completion, settings, code. This file joins the parts; it keeps
// nothing but what is on the page, and the tab's key.
import { Failure, models } from "./api.js";
import { wireCodeDialog } from "./code-dialog.js";
import { element, made } from "./dom.js";
import { KeyDialog } from "./key-dialog.js";
import { modeOf, requestOf } from "./request.js";
import { watchServer } from "./server-state.js";
import { Session } from "./session.js";

/** @typedef {import("./request.js").Mode} Mode */

/** By mode: what stands where nothing was asked yet. */
const words = {
  chat: {
    title: "Ask something",
    label: "Message",
    examples: ["Who are you?", "Tell me a story about a fox.", "What do cows eat?"],
  },
  completion: {
    title: "Begin a text",
    label: "Text to continue",
    examples: ["Once upon a time", "One morning, Mia", "The cat sat"],
  },
};

const settings = element("settings-form", HTMLFormElement);
const model = element("model", HTMLSelectElement);
const prompt = element("prompt", HTMLTextAreaElement);
const send = element("send", HTMLButtonElement);
const stop = element("stop", HTMLButtonElement);
const fresh = element("new", HTMLButtonElement);
const transcript = element("transcript", HTMLElement);
const byTouch = window.matchMedia("(pointer: coarse)");

/** The answer that is on its way: whose it is, and what ends it. @type {{session: Session, abort: AbortController} | undefined} */
let living;

const sessions = { chat: new Session("chat", again), completion: new Session("completion", again) };
const keyDialog = new KeyDialog(() => void readModels());
const lookAtServer = watchServer(() => void readModels());

function mode() {
  return modeOf(new FormData(settings));
}

function session() {
  return sessions[mode()];
}

/** Shows what belongs to the mode. */
function showMode() {
  const { title, label, examples } = words[mode()];
  const { isEmpty, root } = session();
  element("welcome-title", HTMLElement).textContent = title;
  element("welcome", HTMLElement).hidden = !isEmpty;
  element("prompt-label", HTMLElement).textContent = label;
  prompt.placeholder = label;
  fresh.disabled = isEmpty;
  transcript.hidden = isEmpty;
  if (transcript.firstChild !== root) transcript.replaceChildren(root);
  for (const part of document.querySelectorAll("[data-mode]")) {
    if (part instanceof HTMLElement) part.hidden = part.dataset.mode !== mode();
  }
  element("examples", HTMLElement).replaceChildren(...examples.map(exampleItem));
}

/** @param {string} text */
function exampleItem(text) {
  const item = made("li");
  const button = made("button", "examples-button", text);
  button.type = "button";
  button.addEventListener("click", () => void ask(text));
  item.append(button);
  return item;
}

/** @param {string} text */
async function ask(text) {
  if (living !== undefined || !settingsHold()) return;
  const asked = session();
  const request = requestOf(new FormData(settings), asked.messages(), text);
  const abort = new AbortController();
  living = { session: asked, abort };
  const answer = asked.ask(text, request, abort.signal);
  showMode();
  showLiving(true);
  const failure = await answer;
  living = undefined;
  showLiving(false);
  showMode();
  if (failure === undefined) return;
  lookAtServer();
  if (failure.status === 401) keyDialog.open();
}

/** @param {string} text */
function again(text) {
  if (living !== undefined) return;
  session().dropLast();
  void ask(text);
}

/** @param {boolean} lives */
function showLiving(lives) {
  const hadFocus = document.activeElement === send || document.activeElement === stop;
  send.hidden = lives;
  stop.hidden = !lives;
  // On a phone the keyboard would come up.
  if (!byTouch.matches && (hadFocus || document.activeElement === document.body)) prompt.focus();
}

/** Shows the first field that is no number. */
function settingsHold() {
  if (settings.checkValidity()) return true;
  openSettings(true);
  const wrong = settings.querySelector(":invalid");
  const folded = wrong?.closest("details");
  if (folded) folded.open = true;
  settings.reportValidity();
  return false;
}

/** @param {boolean} open */
function openSettings(open) {
  element("settings", HTMLElement).classList.toggle("open", open);
  element("show-settings", HTMLButtonElement).ariaExpanded = String(open);
}

/** The request that Send would make, or that was made last, or one of the examples. */
function current() {
  const form = new FormData(settings);
  const draft = prompt.value.trim() === "" ? undefined : prompt.value;
  const asked = session();
  if (draft !== undefined) return requestOf(form, asked.messages(), draft);
  return requestOf(form, asked.earlierMessages(), asked.lastPrompt ?? words[mode()].examples[0] ?? "");
}

async function readModels() {
  try {
    const [first, ...others] = await models();
    if (first === undefined) return;
    model.replaceChildren(...[first, ...others].map(({ id }) => made("option", "", id)));
    element("welcome-text", HTMLElement).textContent =
      `${first.id} runs on this server. Prompt and answer together may have ${first.max_model_len.toLocaleString("en")} tokens.`;
    document.title = `${first.id} · infernode`;
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    if (thrown.status === 401) keyDialog.open();
    else element("welcome-text", HTMLElement).textContent = thrown.message;
  }
}

element("composer", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  if (living !== undefined || prompt.value.trim() === "" || !settingsHold()) return;
  const text = prompt.value;
  prompt.value = "";
  void ask(text);
});
prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || byTouch.matches) return;
  event.preventDefault();
  element("composer", HTMLFormElement).requestSubmit();
});
stop.addEventListener("click", () => living?.abort.abort());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.querySelector("dialog[open]") === null) living?.abort.abort();
});
fresh.addEventListener("click", () => {
  if (living?.session === session()) living.abort.abort();
  session().clear();
  showMode();
  prompt.focus();
});
element("show-settings", HTMLButtonElement).addEventListener("click", () => {
  const opens = !element("settings", HTMLElement).classList.contains("open");
  openSettings(opens);
  if (!opens) return;
  window.scrollTo(0, 0);
  settings.querySelector("input")?.focus();
});
settings.addEventListener("submit", (event) => event.preventDefault());
settings.addEventListener("change", showMode);

wireCodeDialog(current);
showMode();
if (!byTouch.matches) prompt.focus();
