// The dialog with the request as code: three languages in tabs, the arrow keys choose among them.
import { apiKey } from "./api.js";
import { copyFrom, element } from "./dom.js";
import { noteOf, sampleOf } from "./samples.js";

/** @typedef {import("./samples.js").Language} Language */

/** @param {() => import("./request.js").ApiRequest} current the request that would be sent now */
export function wireCodeDialog(current) {
  const dialog = element("code", HTMLDialogElement);
  const sample = element("sample", HTMLPreElement);
  const copy = element("copy-code", HTMLButtonElement);
  const tabs = [...dialog.querySelectorAll("button")].filter((button) => button.role === "tab");
  const show = (/** @type {HTMLButtonElement} */ chosen) => {
    for (const tab of tabs) {
      tab.ariaSelected = String(tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
    }
    const language = /** @type {Language} */ (chosen.dataset.language);
    const hasKey = apiKey() !== "";
    const base = new URL(".", document.baseURI).href;
    sample.setAttribute("aria-labelledby", chosen.id);
    element("sample-text", HTMLElement).textContent = sampleOf(language, current(), base, hasKey);
    element("sample-note", HTMLElement).textContent = noteOf(language, hasKey);
  };
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const to = step === undefined ? undefined : tabs.at((index + step) % tabs.length);
      if (to === undefined) return;
      event.preventDefault();
      to.focus();
      show(to);
    });
  }
  element("show-code", HTMLButtonElement).addEventListener("click", () => {
    const chosen = tabs.find((tab) => tab.ariaSelected === "true");
    if (chosen !== undefined) show(chosen);
    dialog.showModal();
  });
  element("close-code", HTMLButtonElement).addEventListener("click", () => dialog.close());
  copy.addEventListener("click", () => {
    void copyFrom(copy, element("sample-text", HTMLElement).textContent ?? "");
  });
}
