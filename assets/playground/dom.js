// Elements by their ids, new ones, and the clipboard. What a model wrote becomes text nodes only.

/**
 * @template {HTMLElement} Kind
 * @param {string} id @param {new () => Kind} kind
 * @returns {Kind}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} #${id}`);
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} [className] @param {string} [text]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function made(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className !== "") node.className = className;
  node.textContent = text;
  return node;
}

/** @param {string} text @param {() => void} onClick */
export function quietButton(text, onClick) {
  const button = made("button", "quiet", text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

/** Copies, and says so on the button. @param {HTMLButtonElement} button @param {string} text */
export async function copyFrom(button, text) {
  const copied = await copy(text, button);
  button.textContent = copied ? "Copied" : "Copying failed";
  tell(button.textContent);
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1500);
}

/** Pages that did not come from this machine or by TLS have no clipboard: there a selection is copied. */
async function copy(/** @type {string} */ text, /** @type {HTMLElement} */ near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = made("textarea", "hidden");
    area.value = text;
    near.after(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    near.focus();
    return copied;
  }
}

/** Told to screen readers alone. @param {string} sentence */
export function tell(sentence) {
  element("news", HTMLElement).textContent = sentence;
}
