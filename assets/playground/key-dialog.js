// The dialog that asks for a key.
import { apiKey, keepKey } from "./api.js";
import { element } from "./dom.js";

export class KeyDialog {
  #dialog = element("key-dialog", HTMLDialogElement);
  #key = element("key", HTMLInputElement);

  /** @param {() => void} onKey told when there is a new key */
  constructor(onKey) {
    element("key-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      keepKey(this.#key.value.trim());
      this.#dialog.close();
      onKey();
    });
    element("cancel-key", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
  }

  /** Says that the key is wrong where there was one. */
  open() {
    if (this.#dialog.open) return;
    this.#key.value = "";
    this.#dialog.showModal();
    element("key-problem", HTMLElement).textContent =
      apiKey() === "" ? "" : "The server does not know the key that was given.";
  }
}
