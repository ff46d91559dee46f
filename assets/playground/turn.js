// One request and its answer on the page. Text that comes in pieces is added once a frame, to one
// text node; a reader who has scrolled up is left alone.
import { copyFrom, made, quietButton } from "./dom.js";

/** Pixels above the end at which a reader counts as being there. */
const nearEnd = 96;

export class Turn {
  /** What was asked. */
  prompt;
  /** The answer so far, without thoughts. */
  answer = "";
  root = made("section", "turn");
  #answered = made("div", "answered busy");
  #thoughts = made("details", "thoughts");
  #problem = made("p", "problem");
  #below = made("div", "below");
  #again;
  #answerText = new GrowingText();
  #thoughtText = new GrowingText();

  /**
   * @param {import("./request.js").Mode} mode @param {string} prompt
   * @param {() => void} onAgain
   */
  constructor(mode, prompt, onAgain) {
    this.prompt = prompt;
    this.#again = quietButton("Again", onAgain);
    this.#thoughts.append(made("summary", "", "Thoughts"), textLine("p", this.#thoughtText.node));
    this.#thoughts.hidden = true;
    this.#problem.setAttribute("role", "alert");
    this.#below.hidden = true;
    const answer = textLine("p", this.#answerText.node);
    answer.classList.add("answer");
    if (mode === "completion") answer.prepend(made("span", "given", prompt));
    else this.root.append(asked(prompt));
    const heading = made("h2", "hidden", mode === "chat" ? "Answer" : "Completion");
    this.#answered.append(heading, this.#thoughts, answer, this.#problem, this.#below);
    this.root.append(this.#answered);
  }

  /** @param {string} text */
  addAnswer(text) {
    this.answer += text;
    this.#answerText.add(text);
  }

  /** @param {string} text */
  addThought(text) {
    this.#thoughts.hidden = false;
    this.#thoughtText.add(text);
  }

  /** @param {{figures: string, problem?: string}} end */
  finish({ figures, problem }) {
    this.#answerText.flush();
    this.#thoughtText.flush();
    this.#answered.classList.remove("busy");
    const copy = quietButton("Copy", () => void copyFrom(copy, this.answer));
    if (this.answer === "") copy.hidden = true;
    if (problem !== undefined) this.#again.textContent = "Try again";
    const actions = made("span", "actions");
    actions.append(copy, this.#again);
    this.#below.append(made("span", "figures", figures), actions);
    keepingEnd(() => {
      this.#problem.textContent = problem ?? "";
      this.#below.hidden = false;
    });
  }

  /** Only the last request can be sent again. */
  forbidAgain() {
    this.#again.hidden = true;
  }
}

/** @param {string} prompt */
function asked(prompt) {
  const box = made("div", "asked");
  box.append(made("h2", "hidden", "You"), textLine("p", document.createTextNode(prompt)));
  return box;
}

/** @param {"p"} tag @param {Text} node */
function textLine(tag, node) {
  const line = made(tag, "text");
  line.dir = "auto";
  line.append(node);
  return line;
}

/** Text that grows at the end, once a frame. */
class GrowingText {
  node = document.createTextNode("");
  #pending = "";
  #frame = 0;

  /** @param {string} text */
  add(text) {
    this.#pending += text;
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.flush());
  }

  /** Frames stop in a tab that is hidden; the end does not wait for one. */
  flush() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#pending === "") return;
    keepingEnd(() => this.node.appendData(this.#pending));
    this.#pending = "";
  }
}

/** Changes the page; a reader who was at its end is there afterwards. @param {() => void} change */
export function keepingEnd(change) {
  const page = document.documentElement;
  const wasAtEnd = window.innerHeight + window.scrollY >= page.scrollHeight - nearEnd;
  change();
  if (wasAtEnd) window.scrollTo(0, page.scrollHeight);
}
