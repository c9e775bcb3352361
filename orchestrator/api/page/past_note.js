// The line above the past: what could not be done, and from where the journal is kept.

import { el, replace } from "./dom.js";

// Mount it; return `{say(text, word, press), calm(base)}`. `word` and `press`: a button.
// `calm`: what was said of a place that was left is said no more; that the journal begins
// behind row `base` is true of all places.
export function mountNote(host) {
  const say = (text, word = null, press = null) => {
    const button = word === null
      ? null
      : el("button", { type: "button", class: "small", on: { click: press } }, word);
    replace(host, el("p", { class: "note-box", role: "status" }, el("span", {}, text), " ", button));
  };
  return {
    say,
    calm(base) {
      const text = `The journal was compacted: it begins behind row ${base}.`;
      if (base === 0) replace(host);
      else if (host.textContent.trim() !== text) say(text);
    },
  };
}
