// What the server says of itself, in the bar: asked until it is ready, and now and then afterwards.
import { Failure, health } from "./api.js";
import { element } from "./dom.js";

const askAgainMs = 1500;
const lookInMs = 20_000;

/** As it stands in the bar. @type {Record<string, string>} */
const words = {
  ready: "ready",
  loading: "loading the model",
  asleep: "asleep: a request wakes it",
  waking: "loading the model",
  draining: "shutting down",
  broken: "broken: start it again",
};

/** @param {() => void} onReady told whenever it has become ready */
export function watchServer(onReady) {
  let tookWork = false;
  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
    const status = await asked();
    show(status);
    const takesWork = status === "ready" || status === "asleep";
    if (takesWork && !tookWork) onReady();
    tookWork = takesWork || status === "waking";
    timer = setTimeout(look, takesWork ? lookInMs : askAgainMs);
  };
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") void look();
  });
  void look();
  return () => void look();
}

async function asked() {
  try {
    return (await health()).status;
  } catch (thrown) {
    if (thrown instanceof Failure || thrown instanceof SyntaxError) return "not reachable";
    throw thrown;
  }
}

/** @param {string} status */
function show(status) {
  const line = element("state", HTMLElement);
  const isTrouble = status === "broken" || status === "not reachable";
  line.dataset.state = status === "ready" ? "ready" : isTrouble ? "trouble" : "waiting";
  element("state-text", HTMLElement).textContent = words[status] ?? status;
}
