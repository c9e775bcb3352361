// Copying and saving: a button that copies a text, one that saves it as a file.

import { el, say, write } from "./dom.js";

const SAID_MS = 1_500;

// Return a button that copies what `text()` returns, and says that it has.
export function copyButton(text, name) {
  const word = el("span", {}, "Copy");
  const button = el("button", { type: "button", class: "small", "aria-label": name }, word);
  let timer = 0;
  button.addEventListener("click", async () => {
    const done = await copied(text());
    write(word, done ? "Copied ✓" : "Select it, then Ctrl+C");
    say(done ? "Copied." : "It could not be copied.");
    clearTimeout(timer);
    timer = setTimeout(() => write(word, "Copy"), SAID_MS);
  });
  return button;
}

// The clipboard belongs to secure origins; loopback is one, plain HTTP elsewhere is not.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

// Have the browser save a text as a file.
export function save(name, text, type = "application/json") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 0);
}
